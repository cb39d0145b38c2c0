"""Names and values of headers: each is accepted here once, or refused."""

from __future__ import annotations

import re

from stackctl.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,98}[A-Za-z0-9])?\Z")
LONGEST = 2000
"""Characters of a value."""

_CONNECTION = "it belongs to one connection (RFC 9110, section 7.6.1), which the proxy has on each side"
_BODY = "it describes the body, which the proxy passes on or compresses"
_BOTH = {
    **dict.fromkeys(("connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"), _CONNECTION),
    **dict.fromkeys(("content-length", "transfer-encoding"), _BODY),
}
_RESPONSE = {
    **dict.fromkeys(("content-encoding", "content-range", "content-type"), _BODY),
    "strict-transport-security": "'hsts' sets it, over HTTPS alone",
    "date": "the proxy writes it",
    "location": "the app or the 'redirect' of a route says where a redirect leads",
    "server": "the proxy writes its own name there, without its version",
}
_REQUEST = {"expect": "the proxy answers it", "host": "without it no app knows which site is asked for"}
_OF_EDGE = frozenset({"cookie", "x-real-ip", "forwarded"})
_AGE = re.compile(r"(?P<number>[1-9][0-9]{0,8})(?P<unit>[smhdwy])\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800, "y": 31_536_000}
_LONGEST_AGE = 10 * _SECONDS["y"]


def response_header(text: str) -> str:
    """Return ``text`` as the name of a response header that may be set or removed."""
    return _name(text, _BOTH | _RESPONSE)


def request_header(text: str) -> str:
    """Return ``text`` as the name of a request header that may be set."""
    return _name(text, {key: why for key, why in (_BOTH | _REQUEST).items() if key != "host"})


def identity_header(text: str) -> str:
    """Return ``text`` as the name of a header with which an auth service tells the app about the user."""
    name = _name(text, _BOTH | _REQUEST)
    if name.lower() in _OF_EDGE or name.lower().startswith("x-forwarded-"):
        raise InputError(f"{text} is what the proxy tells every app", hint="name a header such as Remote-User")
    return name


def removed_request_header(text: str) -> str:
    """Return ``text`` as the name of a request header that may be removed."""
    return _name(text, _BOTH | _REQUEST)


def _name(text: str, refused: dict[str, str]) -> str:
    if not _NAME.match(text):
        raise InputError(
            f"{text!r} is not the name of a header", hint="use letters, digits and hyphens, such as X-Robots-Tag"
        )
    if text.lower() in refused:
        raise InputError(f"{text} cannot be changed here: {refused[text.lower()]}")
    return text


def header_value(text: str) -> str:
    """Return ``text`` as the value of a header: printable ASCII, as sent (RFC 9110, section 5.5)."""
    if not text.strip(" "):
        raise InputError("a header needs a value", hint="'remove' takes a list of headers that are left out")
    if not all(" " <= char <= "~" for char in text):
        raise InputError(f"{text[:40]!r} has a character that no header may have", hint="write printable ASCII")
    if text != text.strip(" "):
        raise InputError(f"{text[:40]!r} begins or ends with a space, which a header loses")
    if len(text) > LONGEST:
        raise InputError(f"{text[:40]!r}… is longer than {LONGEST} characters")
    return text


def age(text: str) -> int:
    """Return ``text``, such as ``1y`` or ``180d``, in seconds; ``0`` is none."""
    if text in {"0", "0s"}:
        return 0
    match = _AGE.match(text)
    seconds = int(match["number"]) * _SECONDS[match["unit"]] if match else 0
    if not 0 < seconds <= _LONGEST_AGE:
        raise InputError(f"{text!r} is not a time of up to 10 years", hint="write 1y, 180d, or 0 to withdraw it")
    return seconds
