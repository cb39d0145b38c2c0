"""Start services with Compose, the proxy among them; for how long a replaced proxy did not answer is reported."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

from stackctl.engine.apply import prove
from stackctl.engine.apply.handlers import Errors
from stackctl.engine.context import Context
from stackctl.engine.downtime import DowntimeMeter
from stackctl.errors import EngineError, StackctlError
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.operations import StartProxy, StartService


def start(
    context: Context, stack: Stack, observed: Observed, operations: Sequence[StartService | StartProxy]
) -> Errors:
    """Start the services of ``operations``; a start of the proxy includes that it answers."""
    replaced = observed.containers.is_running(stack.proxy.service) and any(
        isinstance(operation, StartProxy) for operation in operations
    )
    meter = DowntimeMeter(lambda: context.wire.responds(stack.proxy.http.at)) if replaced else None
    with meter or nullcontext():
        errors = _up(context, [operation.service for operation in operations])
        for number, operation in enumerate(operations):
            if isinstance(operation, StartProxy) and errors[number] is None:
                try:
                    prove.generation_answers(context, stack, observed.project.name)
                except StackctlError as error:
                    errors[number] = error
    if meter is not None and meter.milliseconds is not None:
        context.report.note(f"the proxy was replaced: its ports were closed for {meter.milliseconds} ms")
    return errors


def _up(context: Context, services: list[str]) -> list[StackctlError | None]:
    """Start all services with one call or, if that fails, one by one, to attribute the failure."""
    try:
        context.orchestrator.up(services)
    except StackctlError as error:
        if len(services) == 1 or (isinstance(error, EngineError) and error.everywhere):
            return [error] * len(services)
        return [only for one in services for only in _up(context, [one])]
    return [None] * len(services)
