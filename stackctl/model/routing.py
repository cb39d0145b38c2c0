"""What answers a request: sites with their routes."""

from __future__ import annotations

from dataclasses import dataclass, field

from stackctl.model.acme import KeyType, OwnIssuance, second_lineage
from stackctl.model.backends import Backend, Server
from stackctl.model.blocked import Blocked
from stackctl.model.client_certificates import ClientCertificate
from stackctl.model.imported import Imported
from stackctl.model.layout import site_file
from stackctl.model.matching import EVERY_PATH, Match
from stackctl.model.pages import ErrorPages, Maintenance, PageFile
from stackctl.model.tuning import Tuning
from stackctl.model.values import Domain, ServiceName


@dataclass(frozen=True, slots=True)
class Redirect:
    """The response is a redirect.

    Attributes:
        to: an absolute URL, or a path of the same site.
        keep_path: whether path and query of the request follow ``to``.
    """

    to: str
    status: int = 308
    keep_path: bool = False

    def __str__(self) -> str:
        return f"{self.status} to {self.to}{'/…' if self.keep_path else ''}"


@dataclass(frozen=True, slots=True)
class Answer:
    """The response is fixed: 403 for a denied request; ``text`` is its body."""

    status: int
    text: str = ""
    content_type: str = "text/plain; charset=utf-8"

    def __str__(self) -> str:
        return f"answers {self.status}"


Action = Backend | Redirect | Answer
"""What is done with the requests of a route."""


@dataclass(frozen=True, slots=True)
class Route:
    """The requests of a site that ``match``, and what is done with them.

    A route whose match is only paths, and that has no priority, competes with its like by the length of the path.
    Every other one is a rule: rules come first, those of lower ``priority`` before others, and else as written.

    Attributes:
        strip: whether the app gets the path without the prefix that matched.
        priority: the position of a rule; None for that in which it is written, after those that have one.
        tuning: settings of its requests; None for those of the site.
        where: ``file:line`` of its definition; empty for that of the site.
    """

    match: Match
    action: Action
    strip: bool = False
    priority: int | None = None
    tuning: Tuning | None = None
    where: str = ""

    @property
    def is_rule(self) -> bool:
        """Whether it is tried in order, before those that compete by the length of their paths."""
        return self.priority is not None or not self.match.only_prefixes

    @property
    def is_root(self) -> bool:
        """Whether it is for every request that no other route is for: its path is ``/``."""
        return not self.is_rule and EVERY_PATH in self.match.all_of.paths

    @property
    def servers(self) -> tuple[Server, ...]:
        """The servers that it passes requests to; none if the proxy itself answers."""
        return self.action.every_server if isinstance(self.action, Backend) else ()


def everything_to(server: Server) -> tuple[Route, ...]:
    """Return the routes of a site that has one server for every path."""
    return (Route(Match(), Backend((server,))),)


@dataclass(frozen=True, slots=True)
class Site:
    """A set of names under one certificate, and the routes of their requests.

    Attributes:
        domains: its names; the first one identifies the site, the others are aliases.
        where: ``file:line`` of its definition.
        certificate: the name of its certificate's lineage, if it is shared or not the site's own.
        imported: the certificate of the user's that it is served with; None if it has one of the stack's CA.
        canonical: the one of its names to which the others are redirected; None if each is served.
        errors: the pages that the proxy shows in the place of its own.
        maintenance: None while the site is served.
        clients: which certificates its clients show; None if they show none.
        blocked: the clients that it refuses, besides those that all sites do.
        local: whether the stack's own CA issues its certificate; ``dns`` whether its names are proved by DNS-01.
        issuance: how its certificate is requested, where that is not as for all sites.
        second_key: the key of a second certificate, beside the first one; ``is_second`` is of the value that stands for
            that one: see :func:`~stackctl.model.second.second_of`.
    """

    domains: tuple[Domain, ...]
    routes: tuple[Route, ...]
    tuning: Tuning = field(default_factory=Tuning)
    where: str = ""
    certificate: str | None = None
    canonical: Domain | None = None
    errors: ErrorPages = field(default_factory=ErrorPages)
    maintenance: Maintenance | None = None
    clients: ClientCertificate | None = None
    blocked: Blocked = field(default_factory=Blocked)
    local: bool = False
    issuance: OwnIssuance = field(default_factory=OwnIssuance)
    imported: Imported | None = None
    dns: bool = False
    second_key: KeyType | None = None
    is_second: bool = False

    @property
    def name(self) -> Domain:
        """The first of its names."""
        return self.domains[0]

    @property
    def lineage(self) -> str:
        """The name of its certificate's lineage."""
        first = site_file(self.name) if self.local or self.certificate is None else self.certificate
        key = self.issuance.key_type
        return second_lineage(first, key) if self.is_second and key is not None else first

    @property
    def aliases(self) -> tuple[Domain, ...]:
        """Its other names."""
        return self.domains[1:]

    @property
    def routed(self) -> tuple[tuple[Route, Server], ...]:
        """The servers of all its routes, each with the first route that it serves."""
        first: dict[Server, Route] = {}
        for route in self.routes:
            for server in route.servers:
                first.setdefault(server, route)
        return tuple((route, server) for server, route in first.items())

    @property
    def tunings(self) -> tuple[Tuning, ...]:
        """Its settings, and those of its routes that have their own."""
        return (self.tuning, *(route.tuning for route in self.routes if route.tuning is not None))

    @property
    def has_root(self) -> bool:
        """Whether it has a route for the requests that no other one is for."""
        return any(route.is_root for route in self.routes)

    @property
    def redirect(self) -> Redirect | None:
        """Where it redirects every request to; None if it does anything else."""
        only = self.routes[0] if len(self.routes) == 1 else None
        return only.action if only and only.match == Match() and isinstance(only.action, Redirect) else None

    @property
    def counts_clients(self) -> bool:
        """Whether the requests of each client are limited, all of them or those of a route."""
        return any(one.counts_clients for one in (self.tuning, *(route.tuning for route in self.routes)) if one)

    @property
    def pages(self) -> tuple[PageFile, ...]:
        """The files of the stack that its answers come from, and its lists of addresses, each once."""
        own = self.maintenance.page if self.maintenance else None
        pages = (page for _, page in self.errors.pages)
        return tuple(dict.fromkeys((*pages, *([own] if own else []), *self.blocked.lists)))

    @property
    def servers(self) -> tuple[Server, ...]:
        """The servers of all its routes, each once."""
        return tuple(dict.fromkeys(server for route in self.routes for server in route.servers))

    @property
    def services(self) -> tuple[ServiceName, ...]:
        """The Compose services among its servers, each once."""
        return tuple(dict.fromkeys(server.service for server in self.servers if server.service is not None))
