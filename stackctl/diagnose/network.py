"""What a look beyond this host tells: facts, not yet judged."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


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
