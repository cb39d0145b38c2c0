"""The narrow ports to the outside world; Docker is one side of them, the fake another.

Every method raises :class:`~stackctl.errors.EngineError` when the engine is away or refuses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from stackctl.certs.lineage import Certificate
from stackctl.errors import EngineError
from stackctl.model.endpoints import PortBinding
from stackctl.model.project import Project
from stackctl.model.values import Domain
from stackctl.observed.containers import Inspected
from stackctl.observed.network import CaDirectory, Fetched, Lookup
from stackctl.observed.reply import Reply
from stackctl.observed.state import Container


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


class Engine(Protocol):
    """What runs the containers of one stack directory. Compose on Docker is the first."""

    def version(self) -> EngineVersion:
        """Which engine answers."""

    def compose_version(self) -> str:
        """Which Compose is used."""

    def resolve(self, stackfile: str) -> Project:
        """The project that ``stackfile``'s text means here, overrides and .env applied.

        Raises:
            StackfileError: Compose does not accept it.
        """

    def containers(self, project: str) -> tuple[Container, ...]:
        """The project's containers, running or not, without those of one-off commands."""

    def inspect(self, container: str) -> Inspected:
        """One container, looked at closely; its listeners and last line are left to others."""

    def image_id(self, image: str) -> str | None:
        """The id of a local image, or None."""

    def exposed_ports(self, image: str) -> tuple[int, ...]:
        """The TCP ports a local image EXPOSEs, in order."""

    def pull(self, image: str) -> None:
        """Fetch an image from its registry."""

    def up(self, services: Sequence[str]) -> None:
        """Make the services' containers what the file on disk says, and start them."""

    def down(self) -> None:
        """Stop and remove the project's containers and networks; all data stays."""

    def remove(self, ids: Sequence[str]) -> None:
        """Stop and remove containers; volumes stay. Those already gone are no error."""

    def run_once(self, image: str, command: Sequence[str], mounts: Mapping[str, str]) -> Output:
        """Run a command in a fresh container without network; ``mounts`` are read-only, stack path → container path."""

    def publisher(self, at: PortBinding) -> str | None:
        """The container, of whatever project, that publishes a port where ``at`` would be."""

    def execute(self, container: str, command: Sequence[str]) -> Output:
        """Run a command in a running container."""

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
        """The files below ``path`` in the container of the service with ``role``, running or not.

        By their paths relative to it; links within it are followed.
        """

    def log(self, container: str, lines: int) -> str:
        """The last lines a container printed."""

    def follow(self, services: Sequence[str], *, tail: int, follow: bool) -> Iterator[str]:
        """Lines that services print, each behind its service's name."""


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

    def answers(self, address: str, port: int) -> bool:
        """Whether something takes a TCP connection."""

    def refuses(self, address: str, port: int) -> bool:
        """Whether ``address`` itself says that nothing listens there: not where no answer comes."""

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
