"""What is to become of a stack that was found: sites, kept directives, and what to tell its owner."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stackctl.model.routing import Server
from stackctl.model.values import Domain


class Fate(StrEnum):
    """What becomes of one thing that was found."""

    KEPT = "kept"
    """It goes into nginx/custom/, or stays where it is."""

    REPLACED = "replaced"
    """stackctl has its own answer to it."""

    CHANGED = "changed"
    """Clients or apps may see a difference."""

    LOST = "lost"
    """There is no place for it: adoption stops, unless it is told to go on."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing that was found, and its fate.

    Attributes:
        at: ``file:line``.
    """

    fate: Fate
    text: str
    at: str = ""

    @property
    def line(self) -> str:
        """What a person reads."""
        return f"{self.at}: {self.text}" if self.at else self.text


@dataclass(frozen=True, slots=True)
class ProposedSite:
    """One site that becomes an app.

    Attributes:
        at: ``file:line`` of the block or the variable it was found in.
        lineage: the certificate it is served with, or None for one without TLS.
        imported: path, in the old proxy's container, of the chain of a certificate that is not certbot's.
        imported_key: path of that one's key.
        tuning: keys of x-stackctl that are its own.
        custom: directives for its server, as text.
        location: directives for its ``location /``, as text.
    """

    domains: tuple[Domain, ...]
    server: Server
    at: str
    lineage: str | None = None
    imported: str | None = None
    imported_key: str | None = None
    tuning: Mapping[str, str] = field(default_factory=dict)
    custom: str = ""
    location: str = ""

    @property
    def name(self) -> Domain:
        """The name the app will have."""
        return self.domains[0]


@dataclass(frozen=True, slots=True)
class Proposal:
    """What adoption would make of a stack.

    Attributes:
        tuning: keys of the top-level x-stackctl.
        http: directives beside the sites, as text.
        copies: files that nginx/custom/ must hold, by their names there: their paths in the old container.
    """

    sites: tuple[ProposedSite, ...] = ()
    tuning: Mapping[str, str] = field(default_factory=dict)
    http: str = ""
    copies: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    def with_fate(self, fate: Fate) -> list[Remark]:
        """The remarks of one kind, each once."""
        return list(dict.fromkeys(remark for remark in self.remarks if remark.fate is fate))

    @property
    def custom(self) -> dict[str, bytes]:
        """The files of nginx/custom/ that hold directives."""
        files = {"http.conf": self.http}
        for site in self.sites:
            files |= {f"{site.name}.conf": site.custom, f"{site.name}.location.conf": site.location}
        return {name: text.encode() for name, text in files.items() if text}
