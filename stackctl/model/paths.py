"""The path of a request as proxies compare it: decoded, and with its dots and slashes resolved."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import quote

_HEX = b"0123456789abcdefABCDEF"

_SAFE = "/!&'()*+,=:@~|^[]"
"""Characters that stay as they are in a path, besides letters, digits and ``-._~``.

``;`` would end the path of a cookie.
"""


def normalized(target: str) -> str | None:
    """Return the path that routes are compared with; None for one that a proxy refuses with 400.

    ``target`` is what the request line has: a path that begins with ``/``, with or without a query. It is decoded
    once, an encoded slash or dot counts as one, slashes in a row are one, and dot segments are resolved. Bytes
    that are not UTF-8 become surrogates.
    """
    decoded = _decoded(path_of(target).encode("utf-8", "surrogateescape"))
    if decoded is None:
        return None
    parts: list[bytes] = []
    pieces = decoded.split(b"/")
    for piece in pieces:
        if piece == b"..":
            if not parts:
                return None
            parts.pop()
        elif piece not in {b"", b"."}:
            parts.append(piece)
    closed = pieces[-1] in {b"", b".", b".."} and bool(parts)
    path = b"/" + b"/".join(parts) + (b"/" if closed else b"")
    return path.decode("utf-8", "surrogateescape")


def _decoded(raw: bytes) -> bytes | None:
    first, *rest = raw.split(b"%")
    decoded = first
    for part in rest:
        code = part[:2]
        if len(code) < 2 or code[:1] not in _HEX or code[1:] not in _HEX or code == b"00":
            return None
        decoded += bytes([int(code, 16)]) + part[2:]
    return decoded


def path_of(target: str) -> str:
    """Return the path of a request target, as it was sent."""
    return target.partition("#")[0].partition("?")[0]


def query_of(target: str) -> str:
    """Return the query of a request target, as it was sent, without its question mark."""
    return target.partition("#")[0].partition("?")[2]


def sent(path: str) -> str:
    """Return a decoded path as it is written in a URL."""
    return quote(path.encode("utf-8", "surrogateescape"), safe=_SAFE)


def sent_pattern(text: str) -> str:
    """Return a regex for a decoded text as it is sent in a URL.

    Letters, digits, ``-._~`` and slashes stand for themselves; any other character may be encoded or not.
    """
    return "".join(map(sent_byte, text.encode("utf-8", "surrogateescape")))


def sent_byte(byte: int) -> str:
    """Return a regex for one byte in a URL."""
    char = chr(byte)
    if char.isascii() and (char.isalnum() or char in "-._~/"):
        return re.escape(char)
    code = "".join(f"[{digit.lower()}{digit}]" if digit in "ABCDEF" else digit for digit in f"{byte:02X}")
    if char == "%":
        return f"%{code}"
    plain = re.escape(char) if 32 < byte < 127 else rf"\x{byte:02x}"
    return f"(?:{plain}|%{code})"


_CLIMBS = r"(?![^?#]*(?:/|%2[fF])(?:\.|%2[eE]){2}(?:/|%2[fF]|[?#]|$))"
"""No segment of two dots: what is left behind a prefix could leave it, or lead above the root."""


def prefix_pattern(prefix: str) -> str:
    """Return a regex for the beginning of a target that is a prefix as it was sent; none of dots may follow."""
    return f"{_CLIMBS}{sent_pattern(prefix)}"


@lru_cache(maxsize=1024)
def sent_prefix(prefix: str) -> re.Pattern[str]:
    """Return a regex for the beginning of a target, by its bytes, that is a prefix and ends where that ends."""
    return re.compile(rf"{prefix_pattern(prefix)}(?=[/?#]|$)", re.ASCII)
