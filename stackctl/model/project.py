"""The Compose project as Compose resolves it: overrides, .env and profiles applied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from stackctl.model.backends import Server
from stackctl.model.endpoints import PortBinding
from stackctl.model.streams import Transport
from stackctl.model.values import ServiceName

ROLE_LABEL = "stackctl.role"
"""Label of a service that stackctl wrote: ``proxy``, ``certbot``, ``app`` or ``canary``."""

WRITTEN_LABEL = "stackctl.written"
"""Label with the digest of what stackctl wrote, so that a change by the user is detected."""


@dataclass(frozen=True, slots=True)
class PublishedPort:
    """One published port: in the container, and on the host."""

    target: int
    at: PortBinding
    transport: Transport = Transport.TCP

    @property
    def is_tcp(self) -> bool:
        """Whether connections arrive there."""
        return self.transport is Transport.TCP


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount at ``target``: a ``bind`` of a path on the host, or a ``volume`` by its name in the engine."""

    kind: str
    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """One resolved service, as far as stackctl needs it.

    Attributes:
        config_hash: Compose's digest of the service, as in ``com.docker.compose.config-hash``.
        networks: names of its networks; empty with a ``network_mode``.
        hosts: its other DNS names on its networks.
        uses: the keys by which it uses the network, the processes or the volumes of other containers, such as
            ``network_mode``, with their values.
        follows: the services whose containers are not replaced without this one's.
        replicas: how many containers it has; ``counted`` says whether the file says so.
        needs: the services that are started with it.
        exposed: the TCP ports in its ``expose`` and ``ports``, as inside its container, in order.
        extra_hosts: the hosts that its containers know without a name server, each with its address.
        user: the user of its process, where it is not the image's.
        addresses: the fixed addresses that the file gives it on its networks.
        container_name: the fixed name of its container.
        publishes: whether it publishes fixed ports of the host.
        order: what comes first in an update, ``start-first`` or ``stop-first``; None where the file does not say.
        parallelism: how many containers an update replaces at once; 0 for all.
    """

    name: ServiceName
    image: str | None
    builds: bool
    config_hash: str
    labels: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[PublishedPort, ...] = ()
    networks: frozenset[str] = frozenset()
    replicas: int = 1
    counted: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    hosts: frozenset[str] = frozenset()
    uses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    follows: frozenset[str] = frozenset()
    needs: frozenset[str] = frozenset()
    exposed: tuple[int, ...] = ()
    extra_hosts: tuple[tuple[str, str], ...] = ()
    user: str | None = None
    addresses: frozenset[str] = frozenset()
    container_name: str | None = None
    publishes: bool = False
    order: str | None = None
    parallelism: int = 1

    @property
    def role(self) -> str | None:
        """``proxy``, ``certbot``, ``app`` or ``canary`` where stackctl wrote the service."""
        return self.labels.get(ROLE_LABEL)


@dataclass(frozen=True)
class Project:
    """A Compose project: its name, and its services whose profiles are active.

    Attributes:
        texts: the texts that were to be interpolated with it, with the values of their variables.
        networks: the name of each of its networks in the engine.
    """

    name: str
    services: Mapping[str, Service]
    texts: tuple[str, ...] = ()
    networks: Mapping[str, str] = field(default_factory=dict)

    def networks_of(self, service: Service) -> frozenset[str]:
        """Return the names in the engine of a service's networks."""
        return frozenset(self.networks.get(one, f"{self.name}_{one}") for one in service.networks)

    def image_of(self, service: Service) -> str | None:
        """Return the image of a service: that which Compose names after it, if it is built and the file names none."""
        return service.image or (f"{self.name}-{service.name}" if service.builds else None)

    def named(self, server: Server) -> Server:
        """Return ``server`` with the service of its host, where that is a network alias or a container's name."""
        if server.service is not None or server.endpoint.is_address:
            return server
        found = self._by_host.get(server.endpoint.host, ())
        # An alias of several services leads to any of them.
        return replace(server, service=found[0]) if len(found) == 1 else server

    @cached_property
    def _by_host(self) -> Mapping[str, Sequence[ServiceName]]:
        """The services of each host that the proxy reaches; indexed, as a file may have a thousand services."""
        proxy = self.with_role("proxy")
        networks = proxy.networks if proxy is not None else frozenset[str]()
        found: dict[str, list[ServiceName]] = {}
        for service in self.services.values():
            for host in {host.lower() for host in service.hosts} if service.networks & networks else ():
                found.setdefault(host, []).append(service.name)
        return found

    def with_role(self, role: str) -> Service | None:
        """The service stackctl wrote for ``role``."""
        return next((service for service in self.services.values() if service.role == role), None)
