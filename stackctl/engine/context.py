"""The context of a use case: the stack's directory, the ports, the clock and the report, in one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from stackctl.adapters.disk.directory import StackDirectory
from stackctl.adapters.host_tools import printed
from stackctl.certs.held import Held
from stackctl.certs.request import CertificateRequest
from stackctl.certs.source import CertificateSource
from stackctl.errors import StackctlError
from stackctl.model.stack import Stack
from stackctl.observed.delivery import Delivery
from stackctl.observed.network import Network
from stackctl.observed.ports import Containers, Images, Orchestrator, Sandbox
from stackctl.observed.wire import Wire
from stackctl.plan.certificates import CheckNames
from stackctl.plan.operation import Operation
from stackctl.proxies.proxy import Proxy, ProxyLayout


class Report(Protocol):
    """Receives progress events while a command runs."""

    def begin(self, operation: Operation) -> None:
        """``operation`` starts."""

    def end(self, operation: Operation, error: str | None) -> None:
        """``operation`` succeeded, or failed with ``error``."""

    def note(self, text: str) -> None:
        """Receive a message for the user that belongs to no operation."""

    def progress(self, text: str) -> None:
        """Receive the progress of the running operation; it replaces the previous progress."""


class Issuer(CertificateSource, Protocol):
    """A source of certificates: its decisions and its effects."""

    def preflight(
        self, context: Context, project: str, stack: Stack, operations: Sequence[CheckNames]
    ) -> list[StackctlError | None]:
        """Return, for each operation in order, the failure that is certain at the CA, or None."""

    def issue(
        self, context: Context, project: str, stack: Stack, requests: Sequence[CertificateRequest], *, paced: bool
    ) -> dict[str, StackctlError]:
        """Request all certificates, and return the failures by lineage."""

    def delete(self, context: Context, project: str, stack: Stack, held: Held) -> None:
        """Delete a certificate of this source, except the files stored in the site's directory.

        Raises:
            StackctlError: the certificate was not deleted.
        """


@dataclass(frozen=True, slots=True)
class Context:
    """The stack's directory, the ports of its engine, the proxies by name, the clock and the network.

    ``issuers`` are the sources of certificates, by name; the first that owns a site issues for it.
    ``command`` is the command line as the user typed it; ``tools`` asks a program of this host, and returns what it
    printed.
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
    tools: Callable[[Sequence[str]], str | None] = printed

    def proxy_of(self, stack: Stack) -> Proxy:
        """Return the proxy that the stack's ``proxy`` key names."""
        return self.proxies[stack.proxy.kind]
