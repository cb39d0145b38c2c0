"""What a look beyond this host tells: facts, not yet judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class CaDirectory:
    """A CA's ACME directory, as this host gets it.

    Attributes:
        ahead: how far this host's clock is ahead of the ``Date`` header; None where no answer came.
        identities: the names by which CAA records mean this CA (RFC 8555, section 7.1.1); None where unknown.
        problem: why no answer came.
    """

    url: str
    ahead: timedelta | None = None
    identities: tuple[str, ...] | None = None
    problem: str | None = None


class Answer(StrEnum):
    """How a resolver answered, as a person reads it."""

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
        chain: the names that CNAME records lead through, the last one is where the records are.
        loop: the chain comes back to itself.
    """

    answer: Answer
    records: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()
    loop: bool = False


class Reach(StrEnum):
    """How far a connection came, as a person reads it."""

    ANSWERED = "answered"
    REFUSED = "connection refused"
    SILENT = "timed out"
    NO_ROUTE = "no route from this host"
    BROKEN = "connection accepted, but no HTTP answer"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What an HTTP server at one address gave, redirects followed as CAs follow them.

    Attributes:
        status: of the last answer.
        body: the beginning of the last one.
        headers: of the first answer, names in lower case.
        redirect: where the first answer sent the client, or None.
    """

    address: str
    reach: Reach
    status: int | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    redirect: str | None = None
