"""Look at the proxy's workers of before a reload, which finish what they began."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.engine.context import Context
from stackctl.errors import EngineError
from stackctl.model.stack import Stack
from stackctl.observed.containers import Deployment


@dataclass(frozen=True, slots=True)
class OldWorkers:
    """The workers that take no new clients.

    Attributes:
        connections: those of clients that they hold; None where they cannot be seen.
        oldest: for how many seconds the oldest of them has run.
        ends_after: how long after a reload the proxy closes what is left, as the Compose file says it.
    """

    workers: int
    connections: int | None
    oldest: int
    ends_after: str


def old_workers(context: Context, stack: Stack, containers: Deployment) -> OldWorkers | None:
    """Return the old workers of the proxy; None if it has none, or they cannot be listed."""
    running = containers.running(stack.proxy.service)
    if running is None:
        return None
    reload = context.proxy_of(stack).reload
    try:
        processes = context.containers.processes(running.id)
        workers = [one for one in processes if one.command.startswith(reload.worker)]
        if reload.leaving is None:
            # The first one leads the others, and the last one is that of now.
            old = sorted(workers, key=lambda one: one.pid)[1:-1]
        else:
            old = [one for one in workers if reload.leaving in one.command]
        held = context.containers.connections(running.id, [one.pid for one in old]) if old else None
    except EngineError:
        return None
    if not old:
        return None
    connections = None if held is None else sum(one.incoming for own in held.values() for one in own)
    return OldWorkers(len(old), connections, max(one.seconds for one in old), stack.keep_old_connections)
