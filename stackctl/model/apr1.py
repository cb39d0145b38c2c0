"""Hashes of passwords that every proxy verifies fast: MD5 as Apache's htpasswd uses it (``$apr1$``)."""

from __future__ import annotations

import hashlib

SALTS = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
"""The characters of a salt, which has up to eight."""

_ORDER = ((0, 6, 12), (1, 7, 13), (2, 8, 14), (3, 9, 15), (4, 10, 5))
_ROUNDS = 1000


def hashed(password: str, salt: str) -> str:
    """Return the hash of ``password``, as APR's ``apr_md5_encode`` makes it."""
    key, grain = password.encode(), salt.encode()
    final = _md5(key + grain + key)
    text = key + b"$apr1$" + grain + (final * (len(key) // 16 + 1))[: len(key)]
    length = len(key)
    while length:
        text += b"\0" if length & 1 else key[:1]
        length >>= 1
    final = _md5(text)
    for turn in range(_ROUNDS):
        text = key if turn & 1 else final
        text += grain if turn % 3 else b""
        text += key if turn % 7 else b""
        final = _md5(text + (final if turn & 1 else key))
    parts = [_letters((final[a] << 16) | (final[b] << 8) | final[c], 4) for a, b, c in _ORDER]
    return f"$apr1${salt}${''.join(parts)}{_letters(final[11], 2)}"


def _letters(number: int, count: int) -> str:
    return "".join(SALTS[(number >> 6 * place) & 63] for place in range(count))


def _md5(text: bytes) -> bytes:
    return hashlib.md5(text, usedforsecurity=False).digest()
