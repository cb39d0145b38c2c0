"""The fields of a request that routes have conditions on, as a proxy reads them."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

from stackctl.model.matching import Text
from stackctl.model.paths import query_of, sent_byte, sent_pattern
from stackctl.model.patterns import as_bytes, found


@dataclass(frozen=True, slots=True)
class Request:
    """A request as the proxy gets it.

    Attributes:
        target: the path with its query, as it was sent.
        headers: names and values, in order.
        source: the client's address; None if it is not known.
    """

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    source: IPv4Address | IPv6Address | None = None

    def header(self, name: str) -> str | None:
        """Return the value of a header, of several the list; None if there is none, or if it is empty."""
        values = [value.strip(" ") for key, value in self.headers if key.lower() == name]
        return ("; " if name == "cookie" else ", ").join(values) or None

    def parameter(self, name: str) -> str | None:
        """Return the value of the first parameter with a name, as it was sent; None if there is none."""
        wanted = re.compile(sent_pattern(name))
        for part in query_of(self.target).split("&"):
            key, _, value = part.partition("=")
            if wanted.fullmatch(as_bytes(key)):
                return value
        return None

    def cookie(self, name: str) -> str | None:
        """Return the value of the first cookie with a name, as it was sent; None if there is none."""
        for part in (self.header("cookie") or "").split(";"):
            key, sign, value = part.strip(" \t").partition("=")
            if sign and key == name:
                return value
        return None


def is_text(value: str) -> str:
    """Return a regex for a header that is ``value``."""
    return re.escape(value)


def is_parameter(value: str) -> str:
    """Return a regex for a parameter of a query that is ``value``, however it is encoded."""
    return "".join(_IN_QUERY.get(byte) or sent_byte(byte) for byte in value.encode("utf-8", "surrogateescape"))


def is_cookie(value: str) -> str:
    """Return a regex for a cookie that is ``value``, percent-encoded or not."""
    return "".join(_IN_COOKIE.get(byte) or sent_byte(byte) for byte in value.encode("utf-8", "surrogateescape"))


_IN_QUERY = {
    ord(" "): r"(?:\+|%20)",
    ord("+"): "%2[bB]",
    ord("&"): "%26",
    ord("#"): "%23",
    ord("/"): "(?:/|%2[fF])",
}
_IN_COOKIE = {ord(";"): "%3[bB]", ord(" "): r"(?:\x20|%20)", ord("/"): "(?:/|%2[fF])"}


def is_value(value: str, text: Text, written: Callable[[str], str]) -> bool:
    """Return whether a value is what a condition says; ``written`` gives the regex of a text."""
    if text.regex:
        return found(text.text, value)
    return _whole(written(text.text)).match(as_bytes(value)) is not None


@lru_cache(maxsize=4096)
def _whole(regex: str) -> re.Pattern[str]:
    return re.compile(rf"(?:{as_bytes(regex)})\Z", re.ASCII)
