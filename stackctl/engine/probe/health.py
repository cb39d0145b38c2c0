"""Reads what the proxy knows of the servers that it asks."""

from __future__ import annotations

from datetime import timedelta

from stackctl.diagnose.health import AskingFacts
from stackctl.engine.context import Context
from stackctl.errors import EngineError
from stackctl.model.backends import Server
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.observed.containers import Deployment
from stackctl.proxies.health import ServerHealth, ServersHealth


def servers_health(context: Context, stack: Stack, containers: Deployment) -> ServersHealth:
    """Return the state of the servers that the proxy asks; nothing where it asks none, or cannot tell."""
    running = containers.running(stack.proxy.service)
    if running is None or not any(stack.checked):
        return ServersHealth()
    kind = context.proxy_of(stack)
    try:
        return kind.servers_health(context.containers.execute(running.id, kind.health_command()).text)
    except EngineError:
        return ServersHealth()


def of_server(health: ServersHealth, site: Domain, server: Server) -> tuple[ServerHealth, ...]:
    """Return the rows of one server of a site, as the Compose file names it; those of each container of a service."""
    return tuple(one for one in health.of(site) if one.server == str(server))


def asking(context: Context, stack: Stack, containers: Deployment) -> AskingFacts | None:
    """Return the facts of whether the proxy asks servers; None if it need not."""
    every = max((check.every for *_, check in stack.checked), default=None)
    if every is None:
        return None
    running = containers.running(stack.proxy.service)
    started = context.containers.inspect(running.id).started if running else None
    judged = servers_health(context, stack, containers).judged
    return AskingFacts(stack.proxy.service, judged, started, timedelta(seconds=every), context.now())
