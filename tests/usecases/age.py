"""Age files for a passphrase that cost no second to make: pyrage chooses scrypt's work factor itself, by the clock."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_VERSION = b"age-encryption.org/v1"
_LOG_N = 2
_CHUNK = 64 * 1024


def encrypt(content: bytes, passphrase: str) -> bytes:
    """An age file as pyrage reads it; for tests only, as its passphrase can be guessed quickly."""
    file_key, salt, nonce = os.urandom(16), os.urandom(16), os.urandom(16)
    wrapping = hashlib.scrypt(passphrase.encode(), salt=_VERSION + b"/scrypt" + salt, n=2**_LOG_N, r=8, p=1, dklen=32)
    body = ChaCha20Poly1305(wrapping).encrypt(bytes(12), file_key, None)
    header = b"%s\n-> scrypt %s %d\n%s\n---" % (_VERSION, _base64(salt), _LOG_N, _base64(body))
    mac = hmac.digest(_derived(file_key, b"", b"header"), header, "sha256")
    return b"%s %s\n%s%s" % (header, _base64(mac), nonce, _stream(_derived(file_key, nonce, b"payload"), content))


def _base64(content: bytes) -> bytes:
    return base64.b64encode(content).rstrip(b"=")


def _derived(key: bytes, salt: bytes, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt, purpose).derive(key)


def _stream(key: bytes, content: bytes) -> bytes:
    cipher = ChaCha20Poly1305(key)
    chunks = [content[at : at + _CHUNK] for at in range(0, len(content), _CHUNK)] or [b""]
    return b"".join(
        cipher.encrypt(at.to_bytes(11, "big") + bytes([at == len(chunks) - 1]), chunk, None)
        for at, chunk in enumerate(chunks)
    )
