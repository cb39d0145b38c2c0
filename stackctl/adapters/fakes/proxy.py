"""The protocol by which the fake engine imitates a proxy's program."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

from stackctl.certs.lineage import Certificate
from stackctl.model.endpoints import Endpoint
from stackctl.observed.containers import Output
from stackctl.proxies.proxy import ProxyLayout

OnHost = Callable[[str], Path]
"""Finds a path of the proxy's container on this host."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command for the program; ``root`` is the configuration to test, below the proxy's directory."""

    what: Literal["version", "test", "reload"]
    root: str = ""


class FakeProxy(Protocol):
    """Imitates a proxy's program for the fake engine."""

    version: str

    @property
    def layout(self) -> ProxyLayout:
        """Where its files are."""

    @property
    def process(self) -> str:
        """How the command line of its main process begins."""

    @property
    def leaving(self) -> str:
        """The command line of an old worker."""

    def asked(self, command: Sequence[str]) -> Asked | None:
        """Parse a command; return None for that of another program."""

    def print_version(self) -> Output:
        """Print :attr:`version`."""

    def test(self, folder: Path, shown: str, on_host: OnHost) -> Output:
        """Test the configuration in ``folder``, which the container sees at ``shown``.

        A line with ``not_a_directive`` is refused, and so is a certificate file that is not there.
        """

    def refuse_reload(self) -> Output:
        """Fail to reload."""

    def certificates(self, live: Path, on_host: OnHost) -> dict[str, Certificate]:
        """Return the certificate that each name is served with once ``live`` is loaded."""

    def second_certificates(self, live: Path, on_host: OnHost) -> dict[str, Certificate]:
        """Return the second certificate of each name that has two."""

    def health_path(self, live: Path) -> str | None:
        """Return the path that a load balancer asks, under any name."""

    def redirected(self, live: Path) -> frozenset[str]:
        """Return the names that HTTP redirects."""

    def upstreams(self, live: Path) -> Mapping[str, Endpoint]:
        """Return where requests for each name are passed on to."""

    def connection_refused(self, time: str, number: int, name: str, path: str, upstream: Endpoint) -> str:
        """Return the line that it logs when an upstream refuses the connection."""
