"""The ports to the outside world: the engine and the published TCP ports.

An engine is one package below ``adapters`` that provides all ports of :class:`Engine`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from stackctl.errors import EngineError
from stackctl.model.endpoints import PortBinding
from stackctl.model.project import Project, Service
from stackctl.model.streams import Transport
from stackctl.observed.containers import Container, Deployment, Entry, Inspected, Output, Process
from stackctl.observed.delivery import Delivery
from stackctl.observed.sockets import Connection
from stackctl.proxies.proxy import ProxyLayout


class CommandKilled(EngineError):
    """A command in a container was killed: the container was stopped, or out of memory."""


@dataclass(frozen=True, slots=True)
class EngineVersion:
    """The version of the engine and of its API; ``root`` is the directory of its images and containers."""

    version: str
    api: str
    root: str | None = None
    rootless: bool = False
    """Whether root in its containers is an ordinary user of this host."""


class Orchestrator(Protocol):
    """Runs the services of one stack directory."""

    def version(self) -> EngineVersion:
        """Return the version of the engine."""

    def compose_version(self) -> str:
        """Return the version of Compose, without the engine; raise EngineError if it is missing or too old."""

    def resolve(self, stackfile: str, texts: Sequence[str] = ()) -> Project:
        """Return the project that the text ``stackfile`` defines in this directory, with overrides and .env applied.

        The text may differ from the file on disk. The engine itself is not needed. ``texts`` are interpolated as
        the values in the file are.

        Raises:
            StackfileError: Compose rejects the file.
        """

    def service_names(self, stackfile: str) -> frozenset[str]:
        """Return the names of all services that the text ``stackfile`` defines, those of inactive profiles too.

        Raises:
            StackfileError: Compose rejects the file.
        """

    def attached(self, stackfile: str, project: Project, containers: Deployment) -> Project:
        """Return ``project`` with the digests of services that use other ``containers``: their ids are part of it."""

    def containers(self, project: str) -> Deployment:
        """Return the project's containers, running or not, without those of one-off commands."""

    def stacks(self) -> dict[str, str]:
        """Return every project with a proxy container of stackctl's, running or not, and its project directory."""

    def up(self, services: Sequence[str]) -> None:
        """Create or update the containers of services by the file on disk, and start them; of all if none is named.

        Idempotent: a container that already matches the file is not touched.

        Raises:
            EngineError: a service is not in the file, its image is missing, or it cannot be started. Others may
                have been started.
        """

    def add(self, service: str, count: int) -> None:
        """Create containers of a service by the file on disk, and start them, until it has ``count``.

        Those that exist are neither replaced nor removed, and no other service is touched. Idempotent.

        Raises:
            EngineError: the service is not in the file, its image is missing, or a container cannot be started.
        """

    def run_one_off(self, service: str, command: Sequence[str]) -> Output:
        """Run a command in a new container of a service by the file on disk, which is removed afterwards.

        It gets no requests, and publishes no port.

        Raises:
            EngineError: the container cannot be started.
        """

    def down(self) -> None:
        """Stop and remove the project's containers and networks; data is kept. Idempotent."""

    def remove(self, ids: Sequence[str]) -> None:
        """Stop and remove containers; volumes are kept. Idempotent: a removed container is no error.

        Each may take its own grace period to end.
        """

    def follow(
        self, services: Sequence[str], *, tail: int | None, follow: bool, since: int | None = None
    ) -> Iterator[str]:
        """Yield log lines of services, each prefixed with the container; of all services if none is named.

        ``tail`` are the last lines of each container, None for all; ``since`` leaves only those of the last so many
        seconds. With ``follow`` those come too that are written from now on, without an end.
        """


class Images(Protocol):
    """The images that the engine has locally."""

    def image_id(self, image: str) -> str | None:
        """Return the id of a local image, or None; an id always stands for the same content."""

    def exposed_ports(self, image: str) -> tuple[int, ...]:
        """Return the exposed TCP ports of a local image, in order; none for an image that is not local."""

    def pull(self, image: str) -> None:
        """Pull an image, or its newer version, from its registry. Idempotent.

        Raises:
            EngineError: no registry has it, or none answers.
        """


class Containers(Protocol):
    """Operations on existing containers. An unknown id raises EngineError everywhere."""

    def inspect(self, container: str) -> Inspected:
        """Return the details of one container; its listeners and last line may be missing."""

    def accepts(self, container: Container, port: int) -> bool | None:
        """Return whether the container accepts TCP connections on ``port`` from its networks.

        None if it is on no network that can be reached from here. Never raises: a removed container accepts none.
        """

    def execute(self, container: str, command: Sequence[str]) -> Output:
        """Run a command in a running container; its exit code is in the result.

        Raises:
            EngineError: the container does not run, or does not have the program.
        """

    def signal(self, container: str, signal: str, processes: tuple[str, ...]) -> bool:
        """Send ``signal`` to a running container's first process, if its command line begins so.

        Returns whether it was sent: it is not sent to another program, nor where the command line is unknown.
        """

    def stream(self, service: str, command: Sequence[str], stdin: str) -> Iterator[str]:
        """Run a command in a service's running container with ``stdin`` as its input; yields its output lines.

        Raises:
            CommandKilled: it was killed, or the container stopped.
            EngineError: its exit code is not 0.
        """

    def read_tree(self, role: str, path: str) -> dict[str, bytes]:
        """Return the files below ``path`` in the container of the service with ``role``, running or not.

        The keys are paths relative to it; links within it are followed.

        Raises:
            EngineError: there is no such container.
        """

    def entries(self, container: str, path: str, limit: int) -> Mapping[str, Entry]:
        """Return ``path`` of a container, running or not (key ``""``), and all below it by their paths relative to it.

        Links are not followed. Empty if there is no such path; EngineError if it has more than ``limit`` bytes.
        """

    def processes(self, container: str) -> tuple[Process, ...]:
        """Return the processes of a running container."""

    def connections(self, container: str, processes: Collection[int]) -> Mapping[int, tuple[Connection, ...]] | None:
        """Return the connections of a container's processes, by their ids; None if they cannot be seen from here."""

    def log(self, container: str, lines: int) -> str:
        """Return the last lines of a container's log."""

    def publisher(self, at: PortBinding, transport: Transport = Transport.TCP) -> str | None:
        """Return the container, of any project, that publishes a port in conflict with ``at``."""


class Sandbox(Protocol):
    """Runs commands of images, isolated from the running services."""

    def unstarted(self, image: str) -> AbstractContextManager[str]:
        """Provide the id of a container of a local image that is never started, to read the image's files."""

    def run_once(
        self, image: str, command: Sequence[str], like: Service | None = None, tmpfs: Sequence[str] = ()
    ) -> Output:
        """Run a command in a new container without network, which is removed afterwards.

        It has the mounts of the service ``like``, read-only and without those that do not exist, its extra hosts and
        its user, and may bind the fixed addresses that the service has. ``tmpfs`` are writable directories.

        Raises:
            EngineError: the image is not local, or does not have the program.
        """

    def serving(
        self, service: Service, command: Sequence[str], tmpfs: Sequence[str], beside: str, ports: Collection[int]
    ) -> AbstractContextManager[Mapping[int, PortBinding]]:
        """Run a server meanwhile in a new container; provide where each of ``ports`` is published, on loopback only.

        It has the image and the mounts of ``service``, read-only, and the networks of the container ``beside``,
        but none of its names.

        Raises:
            EngineError: the image is not local, the server ends at once, or the container is on the host's network.
        """


@dataclass(frozen=True, slots=True)
class Engine:
    """The ports that one engine provides for one stack directory.

    Every method of them raises :class:`~stackctl.errors.EngineError` when the engine is not available or refuses.
    """

    orchestrator: Orchestrator
    images: Images
    containers: Containers
    sandbox: Sandbox
    delivery: Callable[[ProxyLayout], Delivery]
