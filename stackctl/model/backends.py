"""The servers behind a route: where each is, what it speaks, and how they share the requests."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from stackctl.model.balancing import Balance, HashKey, Sticky
from stackctl.model.endpoints import Endpoint, Upstream
from stackctl.model.health import ActiveCheck
from stackctl.model.values import ServiceName


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


class Speaks(StrEnum):
    """What a server speaks, over TLS or without."""

    HTTP = "http"
    H2C = "h2c"
    GRPC = "grpc"


@dataclass(frozen=True, slots=True)
class Server:
    """One server behind a route.

    Attributes:
        endpoint: where the proxy connects to.
        service: the Compose service at that endpoint, or None for a server outside Compose.
        tls: how its certificate is verified; None for a server without TLS.
        speaks: HTTP/1.1 (with WebSockets), HTTP/2, or gRPC.
        weight: its share of the requests, beside those of the others.
        backup: whether it gets requests only while no other server does.
        max_connections: how many connections the proxy opens to it at once; None for any number.
        drained: whether it gets no new clients.
        where: ``file:line`` of its address, where that is not the line of its route.
    """

    endpoint: Endpoint
    service: ServiceName | None = None
    tls: ServerTls | None = None
    speaks: Speaks = Speaks.HTTP
    weight: int = 1
    backup: bool = False
    max_connections: int | None = None
    drained: bool = False
    where: str = field(default="", compare=False)

    @classmethod
    def of(cls, service: ServiceName, port: int, tls: ServerTls | None = None, speaks: Speaks = Speaks.HTTP) -> Server:
        """Return the server that a Compose service is on ``port`` of its containers."""
        return cls(Endpoint(service, port), service, tls, speaks)

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
    """The servers that share the requests of a route.

    Attributes:
        hash: what decides between them, for the balance of that name.
        sticky: how a client stays with the server that it had; None if each request is balanced.
        canary: a newer version that gets some of the clients; None without one.
        health: how the proxy asks each of them, the canary too, all the time; None if it does not.
    """

    servers: tuple[Server, ...]
    balance: Balance = Balance.ROUND_ROBIN
    hash: HashKey | None = None
    sticky: Sticky | None = None
    canary: Canary | None = None
    health: ActiveCheck | None = None

    def __str__(self) -> str:
        servers = ", ".join(str(server.upstream) for server in self.servers)
        return f"{servers}; {self.canary}" if self.canary else servers

    @property
    def every_server(self) -> tuple[Server, ...]:
        """Its servers, then that of the canary."""
        return (*self.servers, self.canary.server) if self.canary else self.servers


@dataclass(frozen=True, slots=True)
class Canary:
    """A newer version beside the servers of a backend, for some of the clients.

    Attributes:
        percent: of the clients, by their address and program: each of them stays on one side.
        cookie: the name and the value of a cookie whose clients all get it; None for no cookie.
    """

    server: Server
    percent: int
    cookie: tuple[str, str] | None = None

    def __str__(self) -> str:
        cookie = f" or {'='.join(self.cookie)}" if self.cookie else ""
        return f"{self.server.upstream} for {self.percent} %{cookie}"
