"""The proxy with its live files: publish what is staged, let the proxy load it, and know its old workers."""

from __future__ import annotations

import time
from collections.abc import Callable

from stackctl.engine.apply import prove
from stackctl.engine.apply.drain import OldWorkers
from stackctl.engine.apply.staging import Published, Staging
from stackctl.engine.context import Context
from stackctl.errors import EngineError
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed

RESOLVED_SECONDS = 1.0
"""How long the proxy may take to resolve a name, which Docker does in milliseconds; nothing tells that it has."""


class LiveProxy:
    """The proxy of one stack; ``take`` is called with what each publishing rejected and took out."""

    def __init__(self, context: Context, stack: Stack, observed: Observed, take: Callable[[Published], None]) -> None:
        self._context = context
        self._stack = stack
        self._project = observed.project.name
        self._proxy = context.proxy_of(stack)
        self._delivery = context.delivery(self._proxy.layout)
        self._take = take
        self._just_tested = False
        self.workers = OldWorkers(context, self._proxy.reload)
        self.staging = Staging(context, stack, observed)

    def publish(self) -> Published:
        """Test what is staged, and make it live."""
        before = self._delivery.published()
        published = self.staging.publish()
        self._take(published)
        self._just_tested = self._delivery.published() != before
        return published

    def announce(self) -> None:
        """Let the running proxy resolve the names to which live sites are sent next, before it sends them there."""
        containers = self._context.orchestrator.containers(self._project)
        if containers.is_running(self._stack.proxy.service) and self.is_loaded() and self.staging.announce():
            self._just_tested = True
            self.reload()
            time.sleep(RESOLVED_SECONDS)

    def reload(self) -> None:
        """Let the running proxy load the live files, and wait until each new client gets them."""
        containers = self._context.containers
        container = self._context.orchestrator.containers(self._project).require(self._stack.proxy.service).id
        self.workers.remember(container)
        reload = self._proxy.reload
        if not (self._just_tested and self._signal(container)):
            done = containers.execute(container, reload.command)
            if done.code:
                # The live files can be rejected by now: publishing then takes the sites out that are at fault.
                self.publish()
                if self._just_tested:
                    done = containers.execute(container, reload.command)
            if done.code:
                raise EngineError(f"the proxy did not reload: {done.text.strip()}")
        self._just_tested = False
        prove.generation_answers(self._context, self._stack, self._project)
        self.workers.stop_accepting(container)

    def _signal(self, container: str) -> bool:
        """Signal the proxy, and return whether it serves the live files then.

        The command parses all sites again before it sends the same signal, which is redundant after a test. But a
        signal has no answer, and has been lost on a busy host.
        """
        reload = self._proxy.reload
        return self._context.containers.signal(container, reload.signal, reload.processes) and prove.is_answered(
            self._context, self._stack, prove.SIGNAL_SECONDS
        )

    def is_loaded(self) -> bool:
        """Whether the running proxy answers with the live files."""
        return self._context.wire.generation(self._stack.proxy.http.at) == self._delivery.published()
