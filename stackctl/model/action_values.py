"""Values of what a route does, besides its servers: each is accepted here once, or refused."""

from __future__ import annotations

import re
from urllib.parse import quote, urlsplit

from stackctl.errors import InputError
from stackctl.model.endpoints import Endpoint
from stackctl.model.match_values import short
from stackctl.model.values import domain, is_host, port

LONGEST_ANSWER = 2000
"""Bytes of a fixed answer: a parameter of a proxy has its limits, and a quoted character may need two."""

_ANSWERS = range(200, 600)
REDIRECTS = (301, 302, 303, 307, 308)
_NO_BODY = (204, 205, 304)
"""Statuses of responses without a body (RFC 9110)."""

_PRIVATE = (444, 499)
"""Statuses that no standard has, and that mean something to a proxy."""

_MEDIA_TYPE = re.compile(
    r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}"
    r"(?:; ?[A-Za-z0-9-]{1,50}=[A-Za-z0-9!#$&^_.+-]{1,100}){0,3}\Z"
)
_TARGET = "write a URL such as https://new.example.com/, or a path such as /new/"


def redirect_target(text: str) -> str:
    """Return ``text`` as where a redirect leads: an ``http(s)://`` URL, or a path of the same site."""
    if not text.isprintable() or " " in text or "\\" in text:
        raise InputError(f"{text!r} is not the target of a redirect: no URL has such a character", hint=_TARGET)
    short(text)
    try:
        parts = urlsplit(text)
        host, number = parts.hostname, parts.port
    except ValueError as error:
        raise InputError(f"{text!r} is not the target of a redirect", hint=_TARGET) from error
    start = ""
    if not text.startswith("/") or parts.netloc:
        if "@" in parts.netloc:
            raise InputError("the target of a redirect cannot have a user name or a password", hint=_TARGET)
        name = host if host is None or host.isascii() else domain(host)
        if parts.scheme not in {"http", "https"} or name is None or not is_host(name):
            raise InputError(f"{text!r} is not the target of a redirect", hint=_TARGET)
        shown = f"[{name}]" if ":" in name else name
        start = f"{parts.scheme}://{shown if number is None else Endpoint(name, port(number))}"
    # Characters allowed in a URL stay, including '%'; all others are encoded.
    rest = text if not start else text.partition("://")[2].removeprefix(parts.netloc)
    if rest.startswith("//"):
        raise InputError(f"{text!r} is not the target of a redirect: its path begins with two slashes", hint=_TARGET)
    return start + quote(rest, safe="/?#%:@!$&'()*+,;=~-._[]")


def followed_target(text: str) -> str:
    """Return the target of a redirect that the path and the query of the request follow; no slash is at its end."""
    target = redirect_target(text)
    if "?" in target or "#" in target:
        raise InputError(
            f"{text!r} has a query or a fragment, but the path of the request is to follow it",
            hint="remove one of them",
        )
    if not target.rstrip("/"):
        raise InputError(f"with the path of the request behind {text!r}, the redirect leads back to itself")
    return target.rstrip("/")


def answer_status(number: int) -> int:
    """Return ``number`` as the status of a fixed answer."""
    if number in REDIRECTS:
        raise InputError(f"{number} is the status of a redirect", hint="write 'redirect' with its target, and 'code'")
    if number not in _ANSWERS or number in _PRIVATE:
        raise InputError(f"{number} is not the status of an answer", hint="write one of 200 to 599")
    return number


def answer_text(text: str, status: int) -> str:
    """Return ``text`` as the body of a fixed answer with ``status``."""
    if text and status in _NO_BODY:
        raise InputError(f"a response {status} has no text", hint="remove the text, or write status 200")
    if not all(char.isprintable() or char in "\n\t" for char in text):
        raise InputError("the text contains a character that cannot be printed", hint="line breaks are written as \\n")
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        raise InputError("the text is not valid Unicode") from None
    if size > LONGEST_ANSWER:
        raise InputError(
            f"the text has {size} bytes, and at most {LONGEST_ANSWER} are allowed",
            hint="let a service answer with what is longer",
        )
    return text


def content_type(text: str) -> str:
    """Return ``text`` as a media type, such as ``text/html; charset=utf-8``."""
    if not _MEDIA_TYPE.match(text):
        raise InputError(f"{text!r} is not a content type", hint="write it as text/html or text/plain; charset=utf-8")
    return text
