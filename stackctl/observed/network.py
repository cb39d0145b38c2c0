"""Results of DNS lookups and HTTP requests beyond this host, not yet judged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from cryptography.x509 import Certificate


@dataclass(frozen=True, slots=True)
class CaDirectory:
    """The ACME directory of a CA, as fetched from this host.

    Attributes:
        ahead: how far this host's clock is ahead of the ``Date`` header; None without an answer.
        identities: the CA's names in CAA records (RFC 8555, section 7.1.1); None if unknown.
        problem: why there is no answer.
    """

    url: str
    ahead: timedelta | None = None
    identities: tuple[str, ...] | None = None
    problem: str | None = None


class Answer(StrEnum):
    """How a resolver answered; the value is shown to the user."""

    FOUND = "there are records"
    EMPTY = "there is no such record"
    NO_NAME = "the name does not exist (NXDOMAIN)"
    FAILED = "its DNS servers fail (SERVFAIL)"
    SILENT = "no resolver answers"


@dataclass(frozen=True, slots=True)
class Lookup:
    """The records of one kind under a name.

    Attributes:
        records: addresses; of CAA records ``FLAGS TAG VALUE``, the value without quotes.
        chain: the targets of the CNAME records in order; the last one has the records.
        loop: whether the chain is a loop.
    """

    answer: Answer
    records: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    loop: bool = False


class Reach(StrEnum):
    """How far a request got; the value is shown to the user."""

    ANSWERED = "answered"
    REFUSED = "connection refused"
    SILENT = "timed out"
    NO_ROUTE = "no route from this host"
    BROKEN = "connection accepted, but no HTTP answer"


@dataclass(frozen=True, slots=True)
class Fetched:
    """The answer of an HTTP server at one address, with redirects followed as CAs follow them.

    Attributes:
        status: the status of the last answer.
        body: the beginning of the last answer's body.
        headers: the headers of the first answer, names in lower case.
        redirect: the redirect target of the first answer, or None.
    """

    address: str
    reach: Reach
    status: int | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    redirect: str | None = None


class Network(Protocol):
    """The network beyond this host. Nothing here raises: a failure is part of the result."""

    def lookup(self, name: str, kind: str) -> Lookup:
        """Return the records of ``kind`` (A, AAAA or CAA) under ``name``, with CNAME records followed."""

    def has_ipv6(self) -> bool:
        """Return whether the kernel of this host has IPv6, whatever its addresses are."""

    def trusted_roots(self) -> Sequence[Certificate]:
        """Return the root certificates that this host trusts; none if it has no bundle of them."""

    def own_addresses(self) -> frozenset[str]:
        """Return the addresses of this host's interfaces."""

    def fetch(self, address: str, port: int, name: str, path: str) -> Fetched:
        """Return the answer of the HTTP server at ``address`` to ``path`` of ``name``; redirects are followed."""

    def ca_directory(self, url: str, bundle: bytes | None) -> CaDirectory:
        """Return the ACME directory of a CA; ``bundle`` holds the root certificates of a private CA as PEM."""
