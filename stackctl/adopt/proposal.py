"""The proposal of an adoption: sites, kept directives and remarks for the user."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from stackctl.model.backends import Server
from stackctl.model.endpoints import Endpoint
from stackctl.model.matching import PathMatch
from stackctl.model.streams import StreamPort
from stackctl.model.values import Domain
from stackctl.stackfile.services import Value


class Handling(StrEnum):
    """How adoption handles one part of the old stack."""

    KEPT = "kept"
    """It is kept in the proxy's custom files, or not touched."""

    REPLACED = "replaced"
    """stackctl's own configuration replaces it."""

    CHANGED = "changed"
    """Clients or apps may see a difference."""

    UNSUPPORTED = "lost"
    """It is not supported: adoption stops unless it is forced."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One part of the old stack, and how adoption handles it.

    Attributes:
        at: ``file:line``.
    """

    handling: Handling
    text: str
    at: str = ""

    @property
    def line(self) -> str:
        """The remark as one line of text."""
        return f"{self.at}: {self.text}" if self.at else self.text


@dataclass(frozen=True, slots=True)
class ProposedSite:
    """One site that becomes an app.

    Attributes:
        server: what answers it; None for several servers, or for none but those of its routes: ``tuning`` has them.
        at: ``file:line`` of its block or variable.
        lineage: certbot's lineage that it is served with, or None.
        imported: the path, in the old proxy's container, of the chain of a certificate that is not certbot's.
        imported_key: the path of the key of that certificate.
        certificate: the value of the key ``certificate`` as YAML, for one that is not certbot's; or empty.
        tuning: its own keys of x-stackctl.
        custom: directives for its server, as text.
        location: directives for its ``location /``, as text.
        servers: the addresses of its servers, where there is more than one.
    """

    domains: tuple[Domain, ...]
    server: Server | None
    at: str
    lineage: str | None = None
    imported: str | None = None
    imported_key: str | None = None
    certificate: str = ""
    tuning: Mapping[str, Value] = field(default_factory=dict)
    custom: str = ""
    location: str = ""
    servers: tuple[str, ...] = ()

    @property
    def name(self) -> Domain:
        """The name of the app."""
        return self.domains[0]

    @property
    def upstream(self) -> str:
        """What answers it, as text."""
        return str(self.server) if self.server is not None else ", ".join(self.servers)


@dataclass(frozen=True, slots=True)
class ProposedRoute:
    """A path of a site that another service answers.

    Attributes:
        domains: names of the site.
        strip: whether the app gets the path without ``path``.
        at: ``file:line`` of its block or variable.
    """

    domains: tuple[Domain, ...]
    path: PathMatch
    server: Server
    strip: bool = False
    at: str = ""


@dataclass(frozen=True, slots=True)
class ProposedRedirect:
    """Names that are only redirected.

    Attributes:
        lineage: certbot's lineage for them, or None.
        at: ``file:line`` of the rule.
    """

    names: tuple[Domain, ...]
    to: str
    status: int
    keep_path: bool
    lineage: str | None = None
    at: str = ""


@dataclass(frozen=True, slots=True)
class ProposedStream:
    """One server of ``stream`` that becomes an item of ``streams``.

    Attributes:
        listen: its port on the host, or the name whose TLS is passed on.
        at: ``file:line`` of what it is read from.
        inside: the port in the old container; None for a name.
    """

    upstream: Endpoint
    listen: StreamPort | Domain
    allow: tuple[str, ...] = ()
    at: str = ""
    inside: int | None = None


@dataclass(frozen=True, slots=True)
class Proposal:
    """The result of converting a stack.

    Attributes:
        tuning: keys of the top-level x-stackctl.
        http: directives for ``http``, as text.
        files: other files of the proxy's custom folder, by name.
        copies: the files to copy to the custom folder: name there → path in the old container.
        folders: the directories to copy there.
    """

    sites: tuple[ProposedSite, ...] = ()
    routes: tuple[ProposedRoute, ...] = ()
    streams: tuple[ProposedStream, ...] = ()
    redirects: tuple[ProposedRedirect, ...] = ()
    tuning: Mapping[str, Value] = field(default_factory=dict)
    http: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    copies: Mapping[str, str] = field(default_factory=dict)
    folders: Mapping[str, str] = field(default_factory=dict)
    remarks: tuple[Remark, ...] = ()

    def remarks_of(self, handling: Handling) -> list[Remark]:
        """Return the remarks of one kind without duplicates."""
        return list(dict.fromkeys(remark for remark in self.remarks if remark.handling is handling))

    @property
    def custom(self) -> dict[str, bytes]:
        """The files of the proxy's custom folder with what is kept."""
        files = {"http.conf": self.http, **self.files}
        for site in self.sites:
            files |= {f"{site.name}.conf": site.custom, f"{site.name}.location.conf": site.location}
        return {name: text.encode() for name, text in files.items() if text}
