"""Everything outside that a use case needs, in one value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from stackctl.adapters.disk.directory import StackDirectory
from stackctl.model.stack import Stack
from stackctl.observed.ports import Containers, Images, Network, Orchestrator, Sandbox, Wire
from stackctl.plan.operation import Operation
from stackctl.proxies.proxy import Proxy


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


@dataclass(frozen=True, slots=True)
class Context:
    """The stack's directory, the ports of its engine, the proxies by name, the clock and the network.

    ``command`` is the command line as a person typed it.
    """

    directory: StackDirectory
    orchestrator: Orchestrator
    images: Images
    containers: Containers
    sandbox: Sandbox
    wire: Wire
    proxies: Mapping[str, Proxy]
    now: Callable[[], datetime]
    report: Report
    network: Network
    command: str = ""

    def proxy_of(self, stack: Stack) -> Proxy:
        """Return the proxy that the stack's ``proxy`` key names."""
        return self.proxies[stack.proxy.kind]
