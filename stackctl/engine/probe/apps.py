"""Collect the facts that :mod:`stackctl.diagnose.apps` checks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from stackctl.adapters.net.sockets import TABLES, listening_sockets, process_is_of
from stackctl.diagnose.apps import AppFacts, Idle
from stackctl.engine.context import Context
from stackctl.engine.probe.health import of_server, servers_health
from stackctl.errors import EngineError
from stackctl.model.backends import Backend, Server
from stackctl.model.endpoints import Endpoint
from stackctl.model.project import Project
from stackctl.model.routing import Route, Site
from stackctl.model.stack import ProxyService, Stack
from stackctl.observed.containers import Container, Deployment, Inspected
from stackctl.observed.sockets import ListeningSocket, parse_listeners
from stackctl.proxies.health import ServerHealth

_AT_ONCE = 64
"""Servers probed in parallel: each one that does not answer costs a second."""


def apps(
    context: Context,
    stack: Stack,
    project: Project,
    containers: Deployment,
    wanted: Sequence[tuple[Site, Route, Server]],
) -> list[AppFacts]:
    """Return the facts of each server in ``wanted``, in this order."""
    networks = proxy_networks(context, stack.proxy, containers)
    answers = endpoints_answer(context, (server.endpoint for *_, server in wanted if server.service is None))
    health = servers_health(context, stack, containers)
    found = [
        app_facts(
            context,
            containers,
            networks,
            site.name,
            server,
            route.where,
            answers=answers.get(server.endpoint) if server.service is None else None,
            idle=idle(project, server),
            asked=of_server(health, site.name, server),
        )
        for site, route, server in wanted
    ]
    return [
        replace(facts, instead=_instead(route, server)) for facts, (_, route, server) in zip(found, wanted, strict=True)
    ]


def _instead(route: Route, server: Server) -> tuple[Server, ...]:
    """Return the other servers of a route whose canary ``server`` is."""
    there = route.action
    canary = there.canary if isinstance(there, Backend) else None
    return there.servers if isinstance(there, Backend) and canary is not None and canary.server == server else ()


def endpoints_answer(context: Context, endpoints: Iterable[Endpoint]) -> dict[Endpoint, bool]:
    """Return which of ``endpoints``, outside Compose, accept connections; each is probed once, in parallel."""
    distinct = list(dict.fromkeys(endpoints))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return dict(zip(distinct, pool.map(context.wire.answers, distinct), strict=True))


def proxy_networks(context: Context, proxy_service: ProxyService, containers: Deployment) -> frozenset[str] | None:
    """Return the networks of the proxy; None if it is not running."""
    up = containers.running(proxy_service.service)
    return frozenset(context.containers.inspect(up.id).networks) if up else None


def idle(project: Project, server: Server) -> Idle | None:
    """Return why 'up' does not start the service of a server; None if it does, or there is no service."""
    if server.service is None:
        return None
    service = project.services.get(server.service)
    if service is None:
        return Idle.PROFILE
    return None if service.replicas else Idle.SCALED


def app_facts(  # noqa: PLR0913  (each is a fact that the caller has)
    context: Context,
    containers: Deployment,
    networks: frozenset[str] | None,
    subject: str,
    server: Server,
    where: str,
    *,
    answers: bool | None,
    idle: Idle | None,
    asked: tuple[ServerHealth, ...] = (),
) -> AppFacts:
    """Return the facts of one server; ``answers`` is the result of an earlier probe."""
    port = server.endpoint.port
    own = containers.of(server.service)
    seen = tuple(_tried(context, found, port) for one in own if (found := look_at(context, one)))
    if server.service is not None and any(one.running and one.listeners is None for one in seen):
        accepted = {context.containers.accepts(one, port) for one in own if one.running}
        answers = True if True in accepted else False if False in accepted else None
    return AppFacts(subject, server, server.where or where, seen, networks, answers, context.now(), idle, asked)


def look_at(context: Context, container: Container) -> Inspected | None:
    """Return one container with its listeners and its last log line; None if it was just removed."""
    try:
        seen = context.containers.inspect(container.id)
    except EngineError:
        return None
    if seen.running:
        listeners = seen.listeners if seen.listeners is not None else _listeners(context, container.id, seen.pid)
        seen = replace(seen, listeners=listeners)
    if seen.running and not seen.restarts:
        return seen
    return replace(seen, last_line=_last_line(context, container.id))


def _listeners(context: Context, container: str, pid: int) -> tuple[ListeningSocket, ...] | None:
    """Return the listening sockets of a container: from the host's view of its process, else from inside."""
    found = listening_sockets(pid) if process_is_of(container, pid) else None
    if found is not None:
        return found
    try:
        # Without IPv6 in the kernel there is no tcp6: cat's error is then not a line of a table.
        done = context.containers.execute(container, ["cat", *(f"/proc/net/{table}" for table in TABLES)])
    except EngineError:
        return None
    return parse_listeners(done.text) if "local_address" in done.text else None


def _tried(context: Context, seen: Inspected, port: int) -> Inspected:
    """Mark ``[::]`` listeners as IPv6-only if IPv4 is refused: no table shows it, only a connection."""
    ipv4 = [address for address in seen.addresses if ":" not in address]
    anywhere = [one for one in seen.listeners or () if one.port == port and one.reachable_at(seen.addresses)]
    if not anywhere or any(one.address.version == 4 for one in anywhere):
        return seen
    if not ipv4 or not all(context.wire.refuses(Endpoint(address, port)) for address in ipv4):
        return seen
    only = tuple(replace(one, ipv6_only=True) if one in anywhere else one for one in seen.listeners or ())
    return replace(seen, listeners=only)


def _last_line(context: Context, container: str) -> str | None:
    try:
        lines = [line.strip() for line in context.containers.log(container, 5).splitlines() if line.strip()]
    except EngineError:
        return None
    return lines[-1] if lines else None
