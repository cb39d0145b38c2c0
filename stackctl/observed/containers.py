"""The containers of a project, the details of one, and what a command in one printed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from stackctl.errors import EngineError
from stackctl.observed.sockets import ListeningSocket


@dataclass(frozen=True, slots=True)
class Container:
    """One container of the project.

    Attributes:
        state: its state in Docker: ``running``, ``exited``, ``restarting``, …
        health: ``healthy``, ``unhealthy``, ``starting``, or None without a health check.
        config_hash: Compose's digest of the service that it was created from.
        succeeded: whether it exited with code 0.
        addresses: its addresses on the project's networks.
        directory: the directory of its Compose file; empty if the container has no label for it.
        name: its name in the engine.
        writes: where it has a volume that it can write to, whether the file or the image declares it.
        networks: the names of its networks in the engine; empty where they are not known.
    """

    id: str
    service: str
    state: str
    health: str | None
    image_id: str
    config_hash: str
    role: str | None = None
    addresses: tuple[str, ...] = ()
    succeeded: bool = False
    directory: str = ""
    name: str = ""
    writes: tuple[str, ...] = ()
    networks: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """A short name of it for messages."""
        return self.name or self.id[:12]

    @property
    def running(self) -> bool:
        """Whether its process is up, healthy or not."""
        return self.state == "running"


@dataclass(frozen=True)
class Deployment:
    """The containers of a project at one moment."""

    found: tuple[Container, ...] = ()

    def __iter__(self) -> Iterator[Container]:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)

    @cached_property
    def _by_service(self) -> Mapping[str, tuple[Container, ...]]:
        found: dict[str, tuple[Container, ...]] = {}
        for container in self.found:
            found[container.service] = (*found.get(container.service, ()), container)
        return found

    @property
    def services(self) -> frozenset[str]:
        """The services that have a container, running or not."""
        return frozenset(self._by_service)

    def of(self, service: str | None) -> tuple[Container, ...]:
        """Return the containers of a service; none for None, which is no service of Compose."""
        return self._by_service.get(service, ()) if service is not None else ()

    def running(self, service: str) -> Container | None:
        """Return the first running container of a service."""
        return next((container for container in self.of(service) if container.running), None)

    def require(self, service: str) -> Container:
        """Return the first running container of a service.

        Raises:
            EngineError: there is none.
        """
        container = self.running(service)
        if container is None:
            raise EngineError(f"the service {service} is not running", hint="run 'stackctl up'")
        return container

    def is_running(self, service: str) -> bool:
        """Whether a container of the service runs."""
        return self.running(service) is not None

    def publishes_as(self, service: str, role: str) -> bool:
        """Whether a container of the service or with the role holds its ports, at least from time to time."""
        return any(
            container.state in {"running", "restarting", "paused"}
            for container in self.found
            if container.service == service or container.role == role
        )

    def best(self, service: str) -> Container | None:
        """Return a container of a service: a running one if there is one."""
        return self.running(service) or next(iter(self.of(service)), None)

    def without(self, service: str) -> Deployment:
        """Return the containers of the other services."""
        return Deployment(tuple(container for container in self.found if container.service != service))


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a container's file system.

    Attributes:
        mode: its permission bits.
        content: the content of a file; None for a directory or a link.
        target: the target of a symbolic link, as written in it; None for a file or a directory.
        modified: when its content last changed, in seconds since 1970.
    """

    mode: int
    content: bytes | None = None
    target: str | None = None
    modified: float = 0.0


@dataclass(frozen=True, slots=True)
class Process:
    """A process of a container: its command line, for how many seconds it has run, and its id.

    The id is the host's or, of an engine that does not tell, the container's.
    """

    command: str
    seconds: int
    pid: int = 0


@dataclass(frozen=True, slots=True)
class Inspected:
    """The details of one container.

    Attributes:
        name: its name in Docker.
        state: its state in Docker: ``running``, ``exited``, ``restarting``, ``paused``, …
        health: ``healthy``, ``unhealthy``, ``starting``, or None without a health check.
        health_seconds: how long its health check may take to decide, from the start of the container; None
            without one.
        health_output: the last line that the last failed health check printed.
        restarts: how often Docker's restart policy restarted it.
        started: when its process was last started.
        networks: its address on each of its networks, by the name of the network in Docker.
        environment: the environment of its process.
        pid: the process id of its first process on the engine's host; 0 for none.
        listeners: its listening sockets without Docker's resolver; None if they could not be read.
        last_line: the last line that it printed.
        image: the name of the image that it was created from.
    """

    name: str
    state: str
    service: str = ""
    health: str | None = None
    health_seconds: float | None = None
    health_output: str | None = None
    exit_code: int = 0
    oom_killed: bool = False
    restarts: int = 0
    started: datetime | None = None
    networks: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    pid: int = 0
    listeners: tuple[ListeningSocket, ...] | None = None
    last_line: str | None = None
    image: str = ""

    @property
    def running(self) -> bool:
        """Whether its process is up, healthy or not."""
        return self.state == "running"

    @property
    def addresses(self) -> frozenset[str]:
        """Its addresses on all of its networks."""
        return frozenset(address for address in self.networks.values() if address)


@dataclass(frozen=True, slots=True)
class Output:
    """The exit code and the output of a command in a container."""

    code: int
    text: str
