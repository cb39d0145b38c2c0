"""How requests are shared among the servers of a route: values of the keys, each accepted here once, or refused."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from stackctl.errors import InputError
from stackctl.spelling import nearest

WEIGHTS = range(1, 257)
"""HAProxy's limit too; more gives no finer shares in practice."""

COOKIE = "srv"
"""The cookie of sticky sessions, unless the file has another name."""

_LIKE = 0.6
"""How much a word must be like the one that is suggested for it."""

_NAME = re.compile(r"[A-Za-z0-9_]{1,64}\Z")
_VALUE = re.compile(r"[A-Za-z0-9_.-]{1,100}\Z")
_HEADER = re.compile(r"[A-Za-z0-9-]{1,64}\Z")
_OTHER_WORDS = {
    "roundrobin": "round-robin",
    "rr": "round-robin",
    "wrr": "round-robin",
    "static-rr": "round-robin",
    "leastconn": "least-conn",
    "least_conn": "least-conn",
    "p2c": "random",
    "ip_hash": "hash",
    "ip-hash": "hash",
    "source": "hash",
    "uri": "hash",
}
"""The words of other proxies."""

_OTHER_KEYS = {"ip": "source", "ip_hash": "source", "url": "uri", "path": "uri", "url_param": "query", "hdr": "header"}


class Balance(StrEnum):
    """Which server gets the next request."""

    ROUND_ROBIN = "round-robin"
    LEAST_CONN = "least-conn"
    RANDOM = "random"
    HASH = "hash"


class HashKind(StrEnum):
    """What of a request is hashed."""

    SOURCE = "source"
    URI = "uri"
    QUERY = "query"
    HEADER = "header"
    COOKIE = "cookie"


_NAMED = (HashKind.QUERY, HashKind.HEADER, HashKind.COOKIE)


@dataclass(frozen=True, slots=True)
class HashKey:
    """What decides which server gets a request: equal values go to the same one.

    Attributes:
        name: of the parameter, header or cookie; empty for the other kinds.
    """

    kind: HashKind
    name: str = ""

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}" if self.name else str(self.kind)


@dataclass(frozen=True, slots=True)
class Sticky:
    """A cookie of the proxy by which a client stays with its server.

    Attributes:
        max_age: how long the browser keeps it, with its unit; None until it is closed.
    """

    cookie: str = COOKIE
    max_age: str | None = None


def balance(text: str) -> Balance:
    """Return the balance that ``text`` names."""
    if text in {*Balance}:
        return Balance(text)
    near = _OTHER_WORDS.get(text.lower()) or nearest(text, Balance, _LIKE)
    known = f"write one of: {', '.join(Balance)}"
    raise InputError(f"{text!r} is no way to balance", hint=f"did you mean {near!r}?" if near else known)


def hash_key(text: str) -> HashKey:
    """Return ``text`` as ``source``, ``uri``, ``query:NAME``, ``header:NAME`` or ``cookie:NAME``."""
    word, colon, name = text.partition(":")
    if word not in {*HashKind}:
        near = _OTHER_KEYS.get(word.lower()) or nearest(word, HashKind, _LIKE)
        known = "write one of: source, uri, query:NAME, header:NAME, cookie:NAME"
        raise InputError(f"{text!r} is nothing to hash", hint=f"did you mean {near!r}?" if near else known)
    kind = HashKind(word)
    if kind not in _NAMED:
        if colon:
            raise InputError(f"{kind} has no name behind it", hint=f"write only {kind}")
        return HashKey(kind)
    if not (_HEADER if kind is HashKind.HEADER else _NAME).match(name):
        letters = "letters, digits and '-'" if kind is HashKind.HEADER else "letters, digits and '_'"
        raise InputError(f"{text!r} needs a name of {letters}", hint=f"write it as {kind}:user")
    return HashKey(kind, name.lower() if kind is HashKind.HEADER else name)


def cookie_name(text: str) -> str:
    """Return ``text`` as the name of a cookie."""
    if not _NAME.match(text):
        raise InputError(f"{text!r} is not a name of a cookie", hint="use letters, digits and '_'")
    return text


def cookie_pair(text: str) -> tuple[str, str]:
    """Return ``text`` as the name and the value of a cookie."""
    name, equals, value = text.partition("=")
    if not equals or not _VALUE.match(value):
        raise InputError(f"{text!r} is not NAME=VALUE of a cookie", hint="write it as group=beta")
    return cookie_name(name), value


def percent(number: int) -> int:
    """Return ``number`` as a percentage of clients."""
    if not 0 <= number < 100:
        raise InputError(f"{number} is not a share of a canary", hint="write a number from 0 to 99")
    return number


def share(text: str) -> int:
    """Return a share of the clients that is written with its unit, ``10%``, as a percentage."""
    number = text.removesuffix("%")
    if not (number.isascii() and number.isdigit()) or number == text:
        raise InputError(
            f"{text!r} is not a share of the clients", hint="write a whole number with its unit, such as 10%"
        )
    if int(number) == 100:
        raise InputError("100% is no canary but a deploy", hint="deploy it without a canary")
    return percent(int(number))


def weight(number: int) -> int:
    """Return ``number`` as a weight."""
    if number == 0:
        raise InputError("a weight of 0 is none", hint="write 'drain: true': the server then gets no new clients")
    if number not in WEIGHTS:
        raise InputError(
            f"{number} is not a weight", hint=f"write a number from 1 to {WEIGHTS[-1]}: only the ratio counts"
        )
    return number


def max_connections(number: int) -> int:
    """Return ``number`` as a limit of connections."""
    if not 0 < number <= 65535:
        raise InputError(f"{number} is not a number of connections", hint="write one from 1 to 65535")
    return number
