"""Wait until new containers are ready: by Docker's health check, else by an answer, else by their port."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from stackctl.engine.apply.services import ENDED, LONGEST, health_text, last_lines
from stackctl.engine.context import Context
from stackctl.engine.waiting import wait_for
from stackctl.errors import DeployFailed, EngineError
from stackctl.model import deploying
from stackctl.model.deploying import base_of
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, PortBinding
from stackctl.model.stack import Stack
from stackctl.observed.containers import Container, Deployment
from stackctl.observed.reply import ClientRequest, Failure
from stackctl.plan.deploy import AwaitNew, ReplaceService, RunBefore, StartBeside

_CORRECT = "correct it and run 'stackctl up', or go back with 'stackctl rollback'"
STOPPED = f"the old container had to stop first: {_CORRECT}"


def serves_on(operation: RunBefore | StartBeside | AwaitNew) -> str:
    """Return what to do about a step that failed before any request went to a new container."""
    if operation.joins:
        base = base_of(operation.service)
        return (
            f"{base} serves on alone: end the canary with 'stackctl abort {base}', or correct it and run 'stackctl up'"
        )
    return f"the old container serves on: {_CORRECT}"


class Readiness:
    """The wait for the containers that some operations created; ``failed`` has the problem of those that are late."""

    def __init__(
        self, context: Context, stack: Stack, project: str, operations: Sequence[AwaitNew | ReplaceService]
    ) -> None:
        self._context = context
        self._stack = stack
        self._project = project
        self._operations = operations
        self._started = time.monotonic()
        self._ready: set[int] = set()
        self.failed: dict[int, DeployFailed] = {}
        self.late: dict[int, list[str]] = {}

    def wait(self) -> None:
        """Wait until each operation is decided."""
        wait_for(self._look, math.inf)

    def _look(self) -> bool | None:
        containers = self._context.orchestrator.containers(self._project)
        for operation in self._operations:
            if id(operation) not in {*self._ready, *self.failed}:
                self._decide(operation, containers)
        return True if len(self._ready) + len(self.failed) == len(self._operations) else None

    def _decide(self, operation: AwaitNew | ReplaceService, containers: Deployment) -> None:
        new = [one for one in containers.of(operation.service) if one.id not in operation.old]
        problems = {one.id: problem for one in new if (problem := self._problem(operation, one)) is not None}
        if new and not problems:
            self._ready.add(id(operation))
            return
        ended = any(one.state in ENDED for one in new)
        elapsed = time.monotonic() - self._started
        if new and not ended and elapsed < self._limit(operation, new):
            return
        joins = isinstance(operation, AwaitNew) and operation.joins
        self.late[id(operation)] = [one.id for one in new] if joins else list(problems)
        late = next((one for one in new if one.id in problems), None)
        self.failed[id(operation)] = self._failure(operation, late, problems, elapsed)

    def _failure(
        self,
        operation: AwaitNew | ReplaceService,
        late: Container | None,
        problems: dict[str, str],
        elapsed: float,
    ) -> DeployFailed:
        hint = serves_on(operation) if isinstance(operation, AwaitNew) else STOPPED
        if late is None:
            return DeployFailed(f"the service {operation.service} has no new container", hint=hint)
        after = "" if late.state in ENDED else f" after {elapsed:.0f} s"
        return DeployFailed(
            f"the new container {late.label} is not ready{after}: {problems[late.id]}\n"
            f"{last_lines(self._context, late)}",
            where=operation.settings.where or None,
            hint=hint,
        )

    def _limit(self, operation: AwaitNew | ReplaceService, new: Sequence[Container]) -> float:
        """Return how many seconds the containers get: more than usual if their own health check may take longer."""
        if operation.settings.timeout is not None:
            return operation.settings.timeout
        return max(deploying.READY_SECONDS, *(self._own_limit(one) for one in new))

    def _own_limit(self, container: Container) -> float:
        if container.health is None:
            return 0.0
        try:
            seen = self._context.containers.inspect(container.id)
        except EngineError:
            return 0.0
        return min(seen.health_seconds or 0.0, LONGEST)

    def _problem(self, operation: AwaitNew | ReplaceService, container: Container) -> str | None:
        """Return why a container is not ready yet, or None."""
        if not container.running:
            return f"it is {container.state}"
        if operation.settings.skip_health:
            return None
        if container.health is not None:
            return None if container.health == "healthy" else self._said(container)
        closed = [port for port in operation.ports if self._context.containers.accepts(container, port) is not True]
        if closed:
            return f"it accepts no connection on port {closed[0]}"
        return self._unanswered(operation, container)

    def _said(self, container: Container) -> str:
        try:
            said = self._context.containers.inspect(container.id).health_output
        except EngineError:
            said = None
        return health_text(container, said)

    def _unanswered(self, operation: AwaitNew | ReplaceService, container: Container) -> str | None:
        """Return how a container answers its health request otherwise than it should, or None."""
        health, port = operation.settings.health, next(iter(operation.ports), None)
        if health is None or port is None or not container.addresses:
            return None
        name = operation.sharing[0] if operation.sharing else operation.service
        site = self._stack.site(name)
        servers = site.servers if site is not None else ()
        tls = any(one.service == operation.service and one.endpoint.port == port and one.tls for one in servers)
        request = ClientRequest(name, HTTPS_PORT if tls else HTTP_PORT, tls, health.path)
        answers = [
            self._context.wire.answer(PortBinding(address, port), request, timeout=health.timeout)
            for address in container.addresses
        ]
        if any(health.accepts(one.status) for one in answers):
            return None
        if all(one.failure is Failure.CONNECT for one in answers):
            return None  # it listens, as was just seen, but no address of it is reachable from here: a rootless engine
        return f"{health.path} is answered with {next((one.status or one.failure for one in answers), None)}"
