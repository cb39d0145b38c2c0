"""The ports to the outside world, by use: those of the engine, the published ports, and the network beyond.

An engine is one package below ``adapters`` that provides all ports of :class:`Engine`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stackctl.certs.lineage import Certificate
from stackctl.errors import EngineError
from stackctl.model.endpoints import Endpoint, PortBinding
from stackctl.model.project import Project
from stackctl.model.values import Domain
from stackctl.observed.containers import Container, Deployment, Inspected
from stackctl.observed.network import CaDirectory, Fetched, Lookup
from stackctl.observed.reply import Reply
from stackctl.proxies.proxy import Files, ProxyLayout


class CommandKilled(EngineError):
    """A command in a container was killed: the container was stopped, or the memory did not suffice."""


@dataclass(frozen=True, slots=True)
class Output:
    """How a command in a container ended: its exit code and what it printed."""

    code: int
    text: str


@dataclass(frozen=True, slots=True)
class EngineVersion:
    """The engine's version and that of the API spoken with it; ``root`` is where it keeps images and containers."""

    version: str
    api: str
    root: str | None = None


class Orchestrator(Protocol):
    """Runs the services of one stack directory."""

    def version(self) -> EngineVersion:
        """Return which engine answers."""

    def compose_version(self) -> str:
        """Return which Compose is used.

        Raises:
            EngineError: there is none, or it is too old. The engine itself is not needed.
        """

    def resolve(self, stackfile: str) -> Project:
        """Return the project that ``stackfile``'s text defines in this directory, overrides and .env applied.

        The text need not be what is on disk. The engine itself is not needed.

        Raises:
            StackfileError: Compose does not accept it.
        """

    def containers(self, project: str) -> Deployment:
        """Return the project's containers, running or not, without those of one-off commands."""

    def up(self, services: Sequence[str]) -> None:
        """Make the services' containers what the file on disk defines, and start them; all services if none is named.

        Idempotent: a container that runs as the file says is left alone.

        Raises:
            EngineError: a service is not in the file, its image is missing, or it cannot be started. Others may
                have been started.
        """

    def down(self) -> None:
        """Stop and remove the project's containers and networks; all data stays. Idempotent."""

    def remove(self, ids: Sequence[str]) -> None:
        """Stop and remove containers; volumes stay. Idempotent: those already gone are no error."""

    def follow(self, services: Sequence[str], *, tail: int, follow: bool) -> Iterator[str]:
        """Yield lines that services print, each after its service's name; of all services if none is named."""


class Images(Protocol):
    """The images that the engine has locally."""

    def image_id(self, image: str) -> str | None:
        """Return the id of a local image, or None; an id names one content for ever."""

    def exposed_ports(self, image: str) -> tuple[int, ...]:
        """Return the TCP ports that a local image EXPOSEs, in order; none for an image that is not local."""

    def pull(self, image: str) -> None:
        """Fetch an image from its registry, or its newer version. Idempotent.

        Raises:
            EngineError: no registry has it, or none answers.
        """


class Containers(Protocol):
    """Works with containers that exist. An id of none is an EngineError everywhere."""

    def inspect(self, container: str) -> Inspected:
        """Return the details of one container; its listeners and last line may be left out."""

    def accepts(self, container: Container, port: int) -> bool | None:
        """Return whether the container takes TCP connections on ``port`` from its networks.

        None where it is on no network that can be reached from here. Never raises: one that is gone takes none.
        """

    def execute(self, container: str, command: Sequence[str]) -> Output:
        """Run a command in a running container; its exit code is in the result.

        Raises:
            EngineError: the container does not run, or has no such program.
        """

    def signal(self, container: str, signal: str, process: str) -> bool:
        """Send ``signal`` to a running container's first process, where its command line begins with ``process``.

        Returns whether it was sent: where another program is the first, it would go to the wrong one.
        """

    def stream(self, service: str, command: Sequence[str], stdin: str) -> Iterator[str]:
        """Run a command in a service's running container, fed with ``stdin``; yields its output's lines.

        Raises:
            CommandKilled: it was killed, or the container stopped.
            EngineError: it ended with another code than 0.
        """

    def read_tree(self, role: str, path: str) -> dict[str, bytes]:
        """Return the files below ``path`` in the container of the service with ``role``, running or not.

        By their paths relative to it; links within it are followed.

        Raises:
            EngineError: there is no such container.
        """

    def log(self, container: str, lines: int) -> str:
        """Return the last lines a container printed."""

    def publisher(self, at: PortBinding) -> str | None:
        """Return the container, of whatever project, that publishes a port where ``at`` would be."""


class Sandbox(Protocol):
    """Runs commands of images, away from everything that serves."""

    def run_once(
        self, image: str, command: Sequence[str], mounts: Mapping[str, str], tmpfs: Sequence[str] = ()
    ) -> Output:
        """Run a command in a fresh container without network, which is removed afterwards.

        ``mounts`` are read-only: stack path → container path. ``tmpfs`` are folders that it may write to.

        Raises:
            EngineError: the image is not local, or has no such program.
        """


@dataclass(frozen=True, slots=True)
class Staged:
    """A generation: a whole set of the proxy's files.

    Attributes:
        name: its id.
        folder: where the proxy's container sees it, relative to the mount of the proxy's directory.
        made: False where an earlier generation with the same files was found.
    """

    name: str
    folder: str
    made: bool


class Delivery(Protocol):
    """Brings the files of one kind of proxy to where its containers read them, a whole generation at a time.

    What is live is complete at every moment, and was accepted by :meth:`test`. Every method raises
    :class:`~stackctl.errors.HostError` when the disk prevents it.
    """

    def published(self) -> str | None:
        """Return the id of the live generation, which the next start or reload of the proxy takes up; or None."""

    def live(self) -> dict[str, bytes]:
        """Return the files of the live generation, without its marker."""

    def missing(self) -> tuple[str, ...]:
        """Return what leads the proxy's image to the live files and is not there: paths in the stack."""

    def prepare(self) -> None:
        """Make what is :meth:`missing`; what is in its place is backed up. Idempotent."""

    def stage(self, files: Files, marker: Callable[[str], bytes]) -> Staged:
        """Lay a generation down next to the live one, with the marker of its id. Idempotent."""

    def test(self, command: Sequence[str], project: Project, service: str) -> Output:
        """Run the proxy's own test of a staged generation, by the image of ``service`` that will run it.

        Raises:
            EngineError: it could not be run. That it was refused is in the result.
        """

    def go_live(self, generation: str) -> None:
        """Make a staged generation the live one, in one step. Idempotent."""

    def discard(self, staged: Staged) -> None:
        """Remove a staged generation, unless it was there before: the history may name it, or it may be live."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The ports that one engine provides together, for one stack directory.

    Every method of them raises :class:`~stackctl.errors.EngineError` when the engine is away or refuses.
    """

    orchestrator: Orchestrator
    images: Images
    containers: Containers
    sandbox: Sandbox
    delivery: Callable[[ProxyLayout], Delivery]


class Wire(Protocol):
    """What a client of the published ports sees."""

    def generation(self, http: PortBinding) -> str | None:
        """The generation that the proxy at ``http`` answers with, or None."""

    def served(self, https: PortBinding, names: Sequence[Domain]) -> dict[Domain, Certificate | None]:
        """The certificate that a handshake with each name shows; None where none comes. This is a proof."""

    def offered(self, https: PortBinding, names: Sequence[Domain]) -> dict[Domain, Certificate | None]:
        """Like :meth:`served`, for many names at a fifth of the cost: that the server has the key is not proved."""

    def ask(self, at: PortBinding, name: Domain, path: str, *, tls: bool) -> Reply:
        """What a GET of ``path`` with ``name`` brings; redirects are not followed."""

    def responds(self, http: PortBinding) -> bool:
        """Whether a request to ``http`` gets an answer, whichever it is."""

    def answers(self, at: Endpoint) -> bool:
        """Whether ``at`` accepts a TCP connection."""

    def refuses(self, at: Endpoint) -> bool:
        """Whether the host of ``at`` itself says that nothing listens there: not where no answer comes."""

    def owner(self, at: PortBinding) -> str | None:
        """Who listens where ``at`` would be published, in words; None where it is free."""


class Network(Protocol):
    """What is beyond this host. Nothing here raises: what cannot be had is part of the answer."""

    def lookup(self, name: str, kind: str) -> Lookup:
        """The records of ``kind`` (A, AAAA or CAA) under ``name``, CNAME records followed."""

    def own_addresses(self) -> frozenset[str]:
        """The addresses of this host's interfaces."""

    def fetch(self, address: str, port: int, name: str, path: str) -> Fetched:
        """What the HTTP server at ``address`` and ``port`` gives for ``path`` of ``name``, redirects followed."""

    def ca_directory(self, url: str, bundle: bytes | None) -> CaDirectory:
        """A CA's ACME directory; ``bundle`` is the PEM that a private CA is trusted by."""
