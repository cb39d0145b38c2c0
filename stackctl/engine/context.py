"""Everything outside that a use case needs, in one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from stackctl.adapters.disk.directory import StackDirectory
from stackctl.certs.held import Held
from stackctl.certs.request import CertificateRequest
from stackctl.certs.source import CertificateSource
from stackctl.errors import StackctlError
from stackctl.model.stack import Stack
from stackctl.observed.ports import Containers, Delivery, Images, Network, Orchestrator, Sandbox, Wire
from stackctl.plan.operation import Operation
from stackctl.plan.operations import CheckNames
from stackctl.proxies.proxy import Proxy, ProxyLayout


class Report(Protocol):
    """Who is told how a command goes on, while it does."""

    def begin(self, operation: Operation) -> None:
        """``operation`` starts."""

    def end(self, operation: Operation, error: str | None) -> None:
        """``operation`` is done, or has failed with ``error``."""

    def note(self, text: str) -> None:
        """Something a person should know, and that is no operation."""

    def progress(self, text: str) -> None:
        """How far the operation at work is; the next one takes its place."""


class Issuer(CertificateSource, Protocol):
    """A source of certificates: what it decides, and what it does."""

    def preflight(
        self, context: Context, project: str, stack: Stack, operations: Sequence[CheckNames]
    ) -> list[StackctlError | None]:
        """Return what is certain to fail at the CA, for each operation in their order."""

    def issue(
        self, context: Context, project: str, stack: Stack, requests: Sequence[CertificateRequest], *, paced: bool
    ) -> dict[str, StackctlError]:
        """Request all certificates; returns the failures by lineage."""

    def delete(self, context: Context, project: str, stack: Stack, held: Held) -> None:
        """Delete a certificate of this source, but for what is stored in the folder of the site.

        Raises:
            StackctlError: it is not deleted.
        """


@dataclass(frozen=True, slots=True)
class Context:
    """The stack's directory, the ports of its engine, the proxies by name, the clock and the network.

    ``issuers`` are the sources of certificates, by name, in the order in which they are asked for sites.
    ``command`` is the command line as a person typed it.
    """

    directory: StackDirectory
    orchestrator: Orchestrator
    images: Images
    containers: Containers
    sandbox: Sandbox
    delivery: Callable[[ProxyLayout], Delivery]
    wire: Wire
    proxies: Mapping[str, Proxy]
    now: Callable[[], datetime]
    report: Report
    network: Network
    issuers: Mapping[str, Issuer]
    command: str = ""

    def proxy_of(self, stack: Stack) -> Proxy:
        """Return the proxy that the stack's ``proxy`` key names."""
        return self.proxies[stack.proxy.kind]
