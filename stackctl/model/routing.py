"""Which servers answer a request: sites with their routes, and the backends behind those."""

from __future__ import annotations

from dataclasses import dataclass, field

from stackctl.model.endpoints import Endpoint, Upstream
from stackctl.model.values import Domain, ServiceName

EVERY_PATH = "/"
"""The prefix of every path."""


@dataclass(frozen=True, slots=True)
class ServerTls:
    """How the certificate of a server that speaks HTTPS is verified.

    Attributes:
        name: the name that it must be valid for, which the handshake names too; None for the server's host.
        ca: the user's file with the root certificates to trust; None for those of the proxy's image.
    """

    verify: bool = True
    name: str | None = None
    ca: str | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """One server behind a route.

    Attributes:
        endpoint: where the proxy connects to.
        service: the Compose service at that endpoint, or None for a server outside Compose.
        tls: how its certificate is verified; None for a server that speaks plain HTTP.
    """

    endpoint: Endpoint
    service: ServiceName | None = None
    tls: ServerTls | None = None

    @classmethod
    def of(cls, service: ServiceName, port: int, tls: ServerTls | None = None) -> Server:
        """Return the server that a Compose service is on ``port`` of its containers."""
        return cls(Endpoint(service, port), service, tls)

    @property
    def upstream(self) -> Upstream:
        """Its address, with what is spoken to it."""
        return Upstream(self.endpoint, self.tls is not None)

    def __str__(self) -> str:
        return str(self.endpoint)

    @property
    def is_resolved(self) -> bool:
        """Whether its host is a name, which the proxy resolves."""
        return self.service is not None or not self.endpoint.is_address


@dataclass(frozen=True, slots=True)
class Backend:
    """The servers that share the requests of a route."""

    servers: tuple[Server, ...]


@dataclass(frozen=True, slots=True)
class Route:
    """The requests of a site whose path begins with ``path``, and the backend that answers them."""

    path: str
    backend: Backend


def everything_to(server: Server) -> tuple[Route, ...]:
    """Return the routes of a site that has one server for every path."""
    return (Route(EVERY_PATH, Backend((server,))),)


@dataclass(frozen=True, slots=True)
class Tuning:
    """Settings of one site, or defaults of all: sizes and times with their units.

    Attributes:
        buffering: whether the proxy stores bodies in temporary files where the app or the client is slower.
    """

    body_size: str = "64m"
    connect_timeout: str = "5s"
    read_timeout: str = "300s"
    send_timeout: str = "300s"
    buffering: bool = False


@dataclass(frozen=True, slots=True)
class Site:
    """A set of names under one certificate, and the routes of their requests.

    Attributes:
        domains: its names; the first one identifies the site, the others are aliases.
        where: ``file:line`` of its definition.
        certificate: the name of its certificate's lineage, if it is shared or not the site's own.
    """

    domains: tuple[Domain, ...]
    routes: tuple[Route, ...]
    tuning: Tuning = field(default_factory=Tuning)
    where: str = ""
    certificate: str | None = None

    @property
    def name(self) -> Domain:
        """The first of its names."""
        return self.domains[0]

    @property
    def lineage(self) -> str:
        """The name of its certificate's lineage."""
        return self.certificate or self.name

    @property
    def aliases(self) -> tuple[Domain, ...]:
        """Its other names."""
        return self.domains[1:]

    @property
    def servers(self) -> tuple[Server, ...]:
        """The servers of all its routes, each once."""
        return tuple(dict.fromkeys(server for route in self.routes for server in route.backend.servers))

    @property
    def services(self) -> tuple[ServiceName, ...]:
        """The Compose services among its servers, each once."""
        return tuple(dict.fromkeys(server.service for server in self.servers if server.service is not None))
