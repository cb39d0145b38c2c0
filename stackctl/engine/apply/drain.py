"""Wait until nothing that the proxy began before a reload can reach the containers that are to leave."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from time import monotonic, sleep

from stackctl.engine.context import Context
from stackctl.engine.waiting import wait_for
from stackctl.errors import EngineError
from stackctl.observed.sockets import Connection
from stackctl.proxies.proxy import Reload

TURN_SECONDS = 30.0
"""How long workers of before a reload may go on to accept clients."""

STEADY_SECONDS = 2.0
"""How long an old worker's connections must have been the same: a request may ask several services in turn."""


class OldWorkers:
    """The workers that the proxy had before its last reload, as long as they finish what they began."""

    def __init__(self, context: Context, reload: Reload) -> None:
        self._context = context
        self._reload = reload
        self._known: frozenset[int] = frozenset()
        self._since = monotonic()
        self._seen: dict[int, float] = {}

    def remember(self, container: str) -> None:
        """Note which workers the proxy's container has; the proxy reloads next."""
        self._known, self._since, self._seen = frozenset(self._running(container) or ()), monotonic(), {}

    def stop_accepting(self, container: str) -> None:
        """Wait until they accept no more clients: these would get the sites as they were before the reload."""
        if not self._known or self._reload.leaving is None:
            sleep(self._reload.overlap)  # nothing can be listed that shows it
        elif wait_for(lambda: None if self._accept(container) else True, TURN_SECONDS) is None:
            self._context.report.note(
                f"old workers of the proxy still accept clients after {TURN_SECONDS:g} s: these get the old sites"
            )

    def _accept(self, container: str) -> bool:
        """Whether one of them may accept clients; its title changes as it closes the ports."""
        workers = self._running(container)
        return workers is None or any(
            pid in self._known and not self._is_leaving(title) for pid, title in workers.items()
        )

    def wait(self, container: str, leaving: Collection[str], seconds: float) -> bool:
        """Wait until no request can reach the addresses ``leaving``; return whether that was in time."""
        # An old worker is recognized by its title only once the proxy has signaled it to end.
        sleep(max(0.0, self._reload.overlap - (monotonic() - self._since)))
        return wait_for(lambda: True if self._is_done(container, leaving) else None, seconds) is not None

    def _is_done(self, container: str, leaving: Collection[str]) -> bool:
        workers = self._running(container)
        if workers is None:
            return False  # then the whole time passes
        old = [pid for pid, title in workers.items() if pid in self._known or self._is_leaving(title)]
        if not old or not leaving:
            return not old
        found = self._context.containers.connections(container, old)
        if found is None:
            return False
        steady = self._are_steady(one for own in found.values() for one in own)
        return steady and not any(may_reach(own, leaving) for own in found.values())

    def _is_leaving(self, title: str) -> bool:
        return self._reload.leaving is not None and self._reload.leaving in title

    def _are_steady(self, connections: Iterable[Connection]) -> bool:
        now = monotonic()
        self._seen = {one.socket: self._seen.get(one.socket, now) for one in connections}
        return all(now - at >= STEADY_SECONDS for at in self._seen.values())

    def _running(self, container: str) -> dict[int, str] | None:
        """Return the command lines of the workers in a container; None if they cannot be listed."""
        try:
            processes = self._context.containers.processes(container)
        except EngineError as error:
            if error.everywhere:
                raise
            return None
        found = {one.pid: one.command for one in processes if one.command.startswith(self._reload.worker)}
        if self._reload.leaving is None and found:
            del found[min(found)]  # the process that leads the others, and never ends
        return found


def may_reach(connections: Collection[Connection], leaving: Collection[str]) -> bool:
    """Whether a worker that takes no new clients has a request to ``leaving``, or a client that may still send one.

    A client whose request has reached a server has a connection to that server beside its own. One that has none may
    be about to send a request, or to finish the body of one.
    """
    clients = sum(one.incoming for one in connections)
    servers = [one for one in connections if not one.incoming and one.remote is not None]
    if any(one.remote is not None and one.remote.host in leaving for one in servers):
        return True
    return clients > sum(one.carries for one in servers)
