"""Look at the proxy for longer than a moment: a container in a crash loop runs now and then."""

from __future__ import annotations

from stackctl.engine.context import Context
from stackctl.engine.waiting import wait_for
from stackctl.model.stack import ProxyService
from stackctl.observed.containers import Deployment

SETTLE_SECONDS = 3.0
"""How long a container that was restarted may take to answer."""


def generation_and_restarts(
    context: Context, proxy: ProxyService, containers: Deployment
) -> tuple[str | None, frozenset[str]]:
    """Return the generation that answers on the proxy's port, and the proxy's service if it keeps restarting."""
    container = containers.best(proxy.service)
    if container is None or container.state not in {"running", "restarting"}:
        return None, frozenset()
    looping = frozenset({str(proxy.service)})
    if container.state == "restarting":
        return None, looping
    found = context.wire.generation(proxy.http.at)
    if container.role is None:
        return found, frozenset()  # a proxy that stackctl did not make answers, but never with a generation
    if found is None and context.containers.inspect(container.id).restarts:
        found = wait_for(lambda: context.wire.generation(proxy.http.at), SETTLE_SECONDS)
        return found, looping if found is None else frozenset()
    return found, frozenset()
