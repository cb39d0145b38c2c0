"""Which requests a route is for: by path, method, header, query, cookie and source address."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Network, IPv6Network, collapse_addresses

Network = IPv4Network | IPv6Network


def is_within(network: Network, networks: Iterable[Network]) -> bool:
    """Return whether all addresses of ``network`` are in one of ``networks``."""
    return any(one.version == network.version and network.subnet_of(one) for one in networks)  # type: ignore[arg-type]


def as_few(networks: Iterable[Network]) -> tuple[Network, ...]:
    """Return the same addresses in as few networks as possible, those of IPv4 first, in order."""
    found = list(networks)
    return (
        *collapse_addresses(one for one in found if one.version == 4),
        *collapse_addresses(one for one in found if one.version == 6),
    )


class PathKind(StrEnum):
    """How a path is compared. All compare what :func:`stackctl.model.paths.normalized` returns."""

    PREFIX = "prefix"
    EXACT = "exact"
    REGEX = "regex"


@dataclass(frozen=True, slots=True)
class PathMatch:
    """One path of a route.

    Attributes:
        text: begins with ``/``, or is a regular expression. A prefix ends at a ``/``: ``/api`` is a prefix of
            ``/api`` and ``/api/x``, not of ``/api2``; only that of every path is written with a slash at its end.
    """

    text: str
    kind: PathKind = PathKind.PREFIX

    def __str__(self) -> str:
        return {PathKind.PREFIX: "", PathKind.EXACT: "=", PathKind.REGEX: "~"}[self.kind] + self.text


EVERY_PATH = PathMatch("/")
"""The prefix of every path."""


@dataclass(frozen=True, slots=True)
class Text:
    """What a value must be: the text itself, or what a regular expression finds in it."""

    text: str
    regex: bool = False

    def __str__(self) -> str:
        return f"~{self.text}" if self.regex else self.text


@dataclass(frozen=True, slots=True)
class FieldMatch:
    """A header, a parameter of the query or a cookie, and the values of which it must have one.

    Attributes:
        name: that of a header in lower case.
        values: empty if any value will do, an empty one included.
    """

    name: str
    values: tuple[Text, ...] = ()

    def __str__(self) -> str:
        return f"{self.name}={'|'.join(map(str, self.values))}" if self.values else self.name


@dataclass(frozen=True, slots=True)
class Conditions:
    """Conditions that must all hold; each is met by any of its values.

    Attributes:
        paths: empty for every path.
        methods: in upper case.
        sources: networks that contain the client's address.
    """

    paths: tuple[PathMatch, ...] = ()
    methods: tuple[str, ...] = ()
    headers: tuple[FieldMatch, ...] = ()
    query: tuple[FieldMatch, ...] = ()
    cookies: tuple[FieldMatch, ...] = ()
    sources: tuple[Network, ...] = ()

    def __str__(self) -> str:
        fields = (("header", self.headers), ("query", self.query), ("cookie", self.cookies))
        parts = [
            ",".join(map(str, self.paths)),
            ",".join(self.methods),
            *(f"{kind} {field}" for kind, found in fields for field in found),
            f"from {','.join(map(str, self.sources))}" if self.sources else "",
        ]
        return " ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class Match:
    """The requests that a route is for: those which meet ``all_of``, and not all of ``none_of``.

    Attributes:
        none_of: None if there is no such exception.
    """

    all_of: Conditions = Conditions((EVERY_PATH,))
    none_of: Conditions | None = None

    def __str__(self) -> str:
        parts = (str(self.all_of), f"not ({self.none_of})" if self.none_of is not None else "")
        return " ".join(filter(None, parts))

    @classmethod
    def of(cls, *paths: str) -> Match:
        """Return the match of requests below any of these prefixes."""
        return cls(Conditions(tuple(map(PathMatch, paths))))

    @property
    def only_prefixes(self) -> bool:
        """Whether nothing but prefixes and exact paths decide."""
        of = self.all_of
        others = of.methods or of.headers or of.query or of.cookies or of.sources
        if self.none_of is not None or others or not of.paths:
            return False
        return all(path.kind is not PathKind.REGEX for path in of.paths)
