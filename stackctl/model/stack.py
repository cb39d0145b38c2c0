"""The desired state of a stack: its sites, its streams, its proxy, and how certificates are requested."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property

from stackctl.model.acme import LOCAL, Acme, OwnIssuance
from stackctl.model.alerts import Alerts
from stackctl.model.backends import Backend
from stackctl.model.blocked import Blocked
from stackctl.model.deploying import DeploySettings
from stackctl.model.dns_zones import DnsZone
from stackctl.model.edge import Behind
from stackctl.model.endpoints import Listener, Scheme
from stackctl.model.health import ActiveCheck
from stackctl.model.http3 import Http3
from stackctl.model.logs import LogFormat
from stackctl.model.pages import PageFile
from stackctl.model.routing import Redirect, Route, Site
from stackctl.model.streams import Stream
from stackctl.model.values import Domain, ServiceName
from stackctl.model.wildcards import wildcard_of


class TlsPolicy(StrEnum):
    """Mozilla's server-side TLS recommendations, by their names."""

    MODERN = "modern"
    INTERMEDIATE = "intermediate"


KEEP_OLD_CONNECTIONS = "6h"
"""How long after a reload a connection of before may stay open, unless the file says otherwise."""


@dataclass(frozen=True, slots=True)
class ProxyService:
    """The proxy service: its image, its listeners, and its kind, the key ``proxy``.

    Attributes:
        hosts: the hosts that its container knows without a name server.
        ipv6: whether its container has IPv6, on which it then listens too.
        hybrid_keys: whether its TLS library has X25519MLKEM768.
        streams: what it has to load for streams, such as the file of a module; empty if they are built in, and None if
            its image has none.
        asks: whether its image has the programs that ask servers.
        quic: whether its image can speak HTTP/3.
    """

    service: ServiceName
    image: str
    listeners: tuple[Listener, ...]
    kind: str = "nginx"
    hosts: frozenset[str] = frozenset()
    ipv6: bool = True
    hybrid_keys: bool = False
    streams: str | None = ""
    asks: bool = True
    quic: bool = True

    @property
    def http(self) -> Listener:
        """The listener for plain HTTP."""
        return next(listener for listener in self.listeners if listener.scheme is Scheme.HTTP)

    @property
    def https(self) -> Listener | None:
        """The listener for HTTPS; None if TLS ends in front of the proxy."""
        return next((listener for listener in self.listeners if listener.scheme is Scheme.HTTPS), None)

    @property
    def for_visitors(self) -> Listener:
        """The listener that gets what visitors ask over HTTPS."""
        return self.https or self.http


@dataclass(frozen=True, slots=True)
class UnknownNames:
    """What a request gets on port 80 whose name no site has; with no attribute set the connection is closed.

    Attributes:
        status: the status of an answer without a page of the stack's.
        site: the name of the site that answers it.
    """

    status: int | None = None
    redirect: Redirect | None = None
    page: PageFile | None = None
    site: Domain | None = None


@dataclass(frozen=True)
class Stack:
    """The desired state: everything in the Compose file that concerns stackctl.

    Attributes:
        services: every service of the file, including those of inactive profiles.
        deploys: how each service of the project is deployed.
        unknown: what requests for other names than those of the sites get.
        pages: the content of each page, by its path.
        streams: what is passed on without HTTP.
        dns: the zones in which names are proved by DNS-01.
        keep_old_connections: how long after a reload a connection of before may stay open.
        behind: the load balancer or CDN in front of the proxy; None if clients connect to it themselves.
        http3: None without HTTP/3.
        blocked: the clients that no site answers.
        alerts: who is informed of problems.
        log: how the proxy writes requests.
    """

    acme: Acme
    sites: tuple[Site, ...]
    proxy: ProxyService
    certbot: ServiceName
    services: frozenset[str] = frozenset()
    tls: TlsPolicy = TlsPolicy.INTERMEDIATE
    deploys: Mapping[str, DeploySettings] = field(default_factory=dict)
    unknown: UnknownNames = field(default_factory=UnknownNames)
    pages: Mapping[str, bytes] = field(default_factory=dict)
    streams: tuple[Stream, ...] = ()
    dns: tuple[DnsZone, ...] = ()
    keep_old_connections: str = KEEP_OLD_CONNECTIONS
    behind: Behind | None = None
    http3: Http3 | None = None
    blocked: Blocked = field(default_factory=Blocked)
    alerts: Alerts = field(default_factory=Alerts)
    log: LogFormat = LogFormat.TEXT

    @property
    def passthroughs(self) -> tuple[Stream, ...]:
        """The streams on the port of the sites: TLS that the proxy does not terminate."""
        return tuple(stream for stream in self.streams if stream.port is None)

    def hosts_of(self, service: str) -> frozenset[str]:
        """Return the hosts by which sites and streams reach a service: its name, and network aliases of it."""
        return frozenset({service, *self._hosts.get(service, ())})

    @cached_property
    def _hosts(self) -> Mapping[str, set[str]]:
        """The hosts of the servers of each service."""
        found: dict[str, set[str]] = {}
        servers = (one for site in self.sites for one in site.servers)
        for one in itertools.chain(servers, (stream.server for stream in self.streams)):
            if one.service is not None:
                found.setdefault(one.service, set()).add(one.endpoint.host)
        return found

    @property
    def answers_nobody(self) -> bool:
        """Whether TLS connections without the name of a site are accepted: a load balancer asks for health by them."""
        return self.proxy.https is not None and self.behind is not None and self.behind.health is not None

    def stream(self, name: str) -> Stream | None:
        """Return the stream called ``name``."""
        return next((stream for stream in self.streams if stream.name == name), None)

    @property
    def page_files(self) -> tuple[PageFile, ...]:
        """The files of the stack that the proxy reads, each once: pages, lists of addresses, and files with users."""
        return tuple(dict.fromkeys((*self.shown_pages, *self.lists, *self.users_files, *self.client_files)))

    @property
    def users_files(self) -> tuple[PageFile, ...]:
        """Those of them that have users, each once."""
        accesses = dict.fromkeys(tuning.access for site in self.sites for tuning in site.tunings)
        return tuple(dict.fromkeys(one.users for one in accesses if one.users is not None))

    @property
    def client_files(self) -> tuple[PageFile, ...]:
        """Those of them that verify certificates of clients, each once."""
        return tuple(dict.fromkeys(file for site in self.sites if site.clients for file in site.clients.files))

    @property
    def shown_pages(self) -> tuple[PageFile, ...]:
        """Those of them that answers come from, each once."""
        own = self.unknown.page
        found = (page for site in self.sites for page in site.pages)
        lists = frozenset(self.lists)
        return tuple(page for page in dict.fromkeys((*found, *([own] if own else []))) if page not in lists)

    @property
    def lists(self) -> tuple[PageFile, ...]:
        """Those of them that are lists of addresses."""
        return tuple(dict.fromkeys((*self.blocked.lists, *(one for site in self.sites for one in site.blocked.lists))))

    @property
    def checked(self) -> Iterator[tuple[Site, Route, ActiveCheck]]:
        """The routes whose servers the proxy asks all the time, and how."""
        for site in self.sites:
            for route in site.routes:
                if isinstance(route.action, Backend) and route.action.health is not None:
                    yield site, route, route.action.health

    def fitted(self, *, hybrid_keys: bool, ipv6: bool, streams: str | None, asks: bool, quic: bool = False) -> Stack:
        """Return the stack with a proxy that uses what its image and its host have."""
        proxy = replace(self.proxy, hybrid_keys=hybrid_keys, ipv6=ipv6, streams=streams, asks=asks, quic=quic)
        return replace(self, proxy=proxy)

    def acme_of(self, *sites: Site) -> Acme:
        """Return how the certificate is requested that sites share."""
        return self.acme.of(next((site.issuance for site in sites if site.issuance), OwnIssuance()))

    @property
    def has_local_ca(self) -> bool:
        """Whether the stack's own CA issues certificates, of one site or of all."""
        return self.acme.local or any(site.local for site in self.sites)

    @property
    def other_cas(self) -> tuple[str, ...]:
        """The ACME directories of sites with a CA of their own."""
        found = (self.acme_of(site).directory for site in self.sites if site.issuance.ca not in {None, LOCAL})
        return tuple(dict.fromkeys(found))

    def site(self, name: str) -> Site | None:
        """Return the site that has ``name``, as its own name or as an alias."""
        return self._by_name.get(name)

    @cached_property
    def _by_name(self) -> Mapping[str, Site]:
        """The site of each name; indexed, as each server of a thousand sites is looked up."""
        return {name: site for site in self.sites for name in site.domains}

    def site_of(self, host: str) -> Site | None:
        """Return the site that answers requests for ``host``: the one that has the name, else a wildcard above it."""
        return self.site(host) or self.site(wildcard_of(host))
