"""The condition of a server: of its containers, and of what the proxy's own checks say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from stackctl.model.backends import Server
from stackctl.model.endpoints import Endpoint
from stackctl.observed.containers import Container, Deployment
from stackctl.proxies.health import ServerHealth

FAILING = "failing"
"""The health of a server that does not answer the proxy's own checks."""

_RUNNING = ("answers", "running", "healthy", "starting", "unhealthy", FAILING)
"""The conditions of a reachable server outside Compose and of a running container, best first."""

_UP = frozenset({"answers", "running", "healthy", "starting"})
"""Those in which a server can take requests."""

NO_SERVER = "none"
"""The health of a site whose requests the proxy itself answers."""


def condition(server: Server, containers: Deployment, answers: Mapping[Endpoint, bool]) -> str:
    """Return the worst condition of a service's containers, or whether a server outside Compose answers."""
    if server.service is None:
        return "answers" if answers[server.endpoint] else "no answer"
    own = containers.of(server.service)
    if not own:
        return "missing"
    return max((_of_container(container) for container in own), key=_badness)


def is_up(there: str) -> bool:
    """Return whether a server in this condition can take requests."""
    return there in _UP


def _of_container(container: Container) -> str:
    """Return the state of a container, or its health while it runs and has a health check."""
    return (container.health or container.state) if container.running else container.state


def with_answers(there: str, asked: Sequence[ServerHealth]) -> str:
    """Return the condition of a server, or that the proxy's own checks fail although its containers run."""
    return FAILING if there in _RUNNING and any(not one.up for one in asked) else there


def worst(servers: Sequence[Server], health: Mapping[Server, str]) -> str | None:
    """Return the worst of the ``health`` of some servers; None without any."""
    return max((health[server] for server in servers), key=_badness, default=None)


def _badness(there: str) -> int:
    """Return the rank of a condition: a stopped container is the worst."""
    return _RUNNING.index(there) if there in _RUNNING else len(_RUNNING)
