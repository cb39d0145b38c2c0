"""Wait until services answer: as long as their own health check says, and with the cause of those that do not."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from stackctl.diagnose.apps import judge_app
from stackctl.diagnose.check import Verdict
from stackctl.engine.context import Context
from stackctl.engine.probe.apps import app_facts, proxy_networks
from stackctl.engine.waiting import wait_for
from stackctl.errors import EngineError, NotReady, StackctlError
from stackctl.model.stack import Stack
from stackctl.observed.containers import Container, Deployment
from stackctl.plan.operations import AwaitService

SERVICE_SECONDS = 60.0
"""How long a service without a health check may take until it answers."""

_RUNNING_SECONDS = 5.0
"""How long a service gets that has been running for longer than that."""

LONGEST = 3600.0
"""How long a service gets at most, whatever its health check allows, in seconds."""

ENDED = frozenset({"exited", "dead", "restarting"})
"""The states of a container that does not keep running."""

_LOG_LINES = 15


def services_answer(
    context: Context, stack: Stack, project: str, operations: Sequence[AwaitService]
) -> list[StackctlError | None]:
    """Wait until services are healthy or their ports accept connections; they are awaited together.

    Returns the error of each, in order: its container ended, or it does not answer in time.

    Raises:
        EngineError: the engine does not answer.
    """
    waiting = _Waiting(context, stack, project, operations)
    wait_for(waiting.look, math.inf)
    return [waiting.found[operation] for operation in operations]


class _Waiting:
    def __init__(self, context: Context, stack: Stack, project: str, operations: Sequence[AwaitService]) -> None:
        self._context = context
        self._stack = stack
        self._project = project
        self._operations = operations
        self._started = time.monotonic()
        self._limits: dict[str, float] = {}
        self.found: dict[AwaitService, StackctlError | None] = {}

    def look(self) -> bool | None:
        """Decide what can be decided now; return True once every operation is decided."""
        containers = self._context.orchestrator.containers(self._project)
        elapsed = time.monotonic() - self._started
        for operation in self._operations:
            if operation not in self.found:
                self._decide(operation, containers, elapsed)
        return True if len(self.found) == len(set(self._operations)) else None

    def _decide(self, operation: AwaitService, containers: Deployment, elapsed: float) -> None:
        own = containers.of(operation.service)
        error = _ended(self._context, operation.service, own)
        if error is not None or (own and all(_answers(self._context, one, operation.port) for one in own)):
            self.found[operation] = error
            return
        limit = self._limit(operation.service, own)
        sick = any(one.health == "unhealthy" for one in own)
        if elapsed >= (min(limit, SERVICE_SECONDS) if sick else limit):
            self.found[operation] = self._late(operation, containers, elapsed)

    def _limit(self, service: str, own: Sequence[Container]) -> float:
        """Return how many seconds a service gets from the start of the wait."""
        if not own:
            return SERVICE_SECONDS
        if service not in self._limits:
            limit = self._limits[service] = max(map(self._limit_of, own))
            if limit > SERVICE_SECONDS:
                self._context.report.note(f"{service}: waiting up to {limit:.0f} s, as its health check allows")
        return self._limits[service]

    def _limit_of(self, container: Container) -> float:
        try:
            seen = self._context.containers.inspect(container.id)
        except EngineError:
            return SERVICE_SECONDS
        age = max((self._context.now() - seen.started).total_seconds(), 0.0) if seen.started else 0.0
        if container.health is not None and seen.health_seconds is not None:
            return min(max(SERVICE_SECONDS, seen.health_seconds - age), LONGEST)
        return max(min(_RUNNING_SECONDS, SERVICE_SECONDS), SERVICE_SECONDS - age)

    def _late(self, operation: AwaitService, containers: Deployment, elapsed: float) -> EngineError:
        """Return the error of a service that does not answer in time, with the cause that ``doctor`` would find."""
        service, own = operation.service, containers.of(operation.service)
        unhealthy = _unhealthy(self._context, service, own, elapsed)
        if unhealthy is not None:
            return unhealthy
        text = f"the service {service} does not answer on port {operation.port} after {elapsed:.0f} s"
        cause = self._cause(operation, containers)
        if cause is None:
            return NotReady(text, hint="check that the app listens on that port, and on 0.0.0.0 rather than 127.0.0.1")
        return NotReady(f"{text}: {cause[0]}", hint=cause[1])

    def _cause(self, operation: AwaitService, containers: Deployment) -> tuple[str, str | None] | None:
        awaited = operation.service, operation.port
        sites = sorted(self._stack.sites, key=lambda site: site.name != operation.scope)
        routed = ((site, route, server) for site in sites for route, server in site.routed)
        found = next((one for one in routed if (one[2].service, one[2].endpoint.port) == awaited), None)
        if found is None:
            return None
        site, route, server = found
        networks = proxy_networks(self._context, self._stack.proxy, containers)
        facts = app_facts(self._context, containers, networks, site.name, server, route.where, answers=None, idle=None)
        wrong = next((check for check in judge_app(facts) if check.verdict is Verdict.WRONG), None)
        return None if wrong is None else (wrong.text, wrong.todo)


def _ended(context: Context, service: str, containers: Sequence[Container]) -> EngineError | None:
    ended = next((c for c in containers if c.state in ENDED), None)
    if ended is None:
        return None
    return EngineError(
        f"the service {service} does not keep running: its container is {ended.state}\n{last_lines(context, ended)}",
        hint=f"see 'stackctl logs {service}', or run 'docker compose up {service}' to watch it start",
    )


def _unhealthy(context: Context, service: str, containers: Sequence[Container], elapsed: float) -> NotReady | None:
    """Return the error of the first container whose health check fails, with the output of the check, or None."""
    for container in containers:
        if container.health not in {None, "healthy"}:
            said = context.containers.inspect(container.id).health_output
            return NotReady(
                f"the service {service} is not healthy after {elapsed:.0f} s: {health_text(container, said)}",
                hint=f"see the definition of its health check, and 'docker compose logs {service}'",
            )
    return None


def health_text(container: Container, said: str | None) -> str:
    """Return what a container's health check says, with its last output ``said``."""
    return f"its health check says '{container.health}'" + (f": {said}" if said else "")


def _answers(context: Context, container: Container, port: int) -> bool:
    if container.health is None:
        return context.containers.accepts(container, port) is True
    # A healthy one may listen on another port; it is believed where no connection can be tried from here.
    return container.health == "healthy" and context.containers.accepts(container, port) is not False


def last_lines(context: Context, container: Container) -> str:
    """Return the last lines of a container's log, or why they cannot be read: they only explain another error."""
    try:
        return context.containers.log(container.id, _LOG_LINES)
    except EngineError as error:
        return f"its log cannot be read: {error}"
