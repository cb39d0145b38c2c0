"""Collects the facts of :mod:`stackctl.diagnose.trace`: the live files, and the replies to real requests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from stackctl.adapters.disk.files import host_errors
from stackctl.certs.held import held
from stackctl.diagnose.apps import AppFacts, RefusedTls
from stackctl.diagnose.maintenance import described
from stackctl.diagnose.trace import TraceFacts
from stackctl.engine.context import Context
from stackctl.engine.probe.apps import app_facts, idle, look_at
from stackctl.engine.probe.health import of_server, servers_health
from stackctl.engine.waiting import wait_for
from stackctl.errors import EngineError
from stackctl.model import router
from stackctl.model.backends import Server
from stackctl.model.blocked import Blocked
from stackctl.model.endpoints import Endpoint
from stackctl.model.fields import Request
from stackctl.model.layout import CUSTOM_FOLDER
from stackctl.model.project import Project
from stackctl.model.request_values import SAFE
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain, ServiceName
from stackctl.observed.containers import Container, Deployment, Inspected
from stackctl.observed.reply import Failure, Reply
from stackctl.observed.wire import REQUEST_HEADERS
from stackctl.proxies.proxy import Files, Proxy, ProxyLayout
from stackctl.proxies.trace import Action, LoggedError, Outcome, Trace
from stackctl.reading import read_regular

LOG_LINES = 5000
"""How far back the proxy's log is read."""

LOG_SECONDS = 1.5
"""How long a line of the error log may take from the proxy to the engine."""

_PROXY_SAYS = {401, 403, 429}


@dataclass(frozen=True, slots=True)
class CollectedTrace:
    """The facts, and the errors that the proxy had logged for the name before."""

    facts: TraceFacts
    earlier: tuple[LoggedError, ...]


def collect_trace(context: Context, stack: Stack, project: Project, name: Domain, asked: Request) -> CollectedTrace:
    """Collect the facts about a request for ``name``; it is sent over HTTPS and to port 80 if that changes nothing."""
    proxy_service, site = stack.proxy, stack.site_of(name)
    containers = context.orchestrator.containers(project.name)
    proxy = containers.best(proxy_service.service)
    seen = look_at(context, proxy) if proxy else None
    kind = context.proxy_of(stack)
    request = _completed(asked)
    routed = router.routed(site, request) if site else None
    traced = kind.tracer(_live_files(context, kind.layout), name)
    to = proxy_service.for_visitors
    trace = traced(request, to.port)
    log = _Log(context, kind, proxy, name)
    maintenance = site.maintenance if site else None
    blocks = [one for one in (stack.blocked, site.blocked if site else None) if one]
    held_back = _held_back(site, asked, context.now(), blocks=bool(blocks))
    https = http = Reply(failure=Failure.UNSENT)
    logged: tuple[LoggedError, ...] = ()
    if held_back is None:
        https = context.wire.ask(to.at, name, request, tls=to.secure)
        logged = log.new(wait=_may_be_logged(trace, https))
        http = context.wire.ask(proxy_service.http.at, name, request, tls=False) if to.secure else https
    facts = TraceFacts(
        name=name,
        request=request,
        held_back=held_back,
        site=site,
        routed=routed,
        file=context.directory.files.name,
        owner=site.name if site else None,
        owner_where=site.where if site else None,
        servers=site.servers if site else (),
        http_at=str(proxy_service.http.at),
        https_at=str(to.at),
        holder=_holder(context, stack, https, proxy),
        proxy=seen,
        trace=trace,
        http_trace=traced(request, proxy_service.http.port),
        held=held(site, context.directory.shelf([site.name], context.now())) if site else None,
        custom=kind.layout.custom,
        advice=kind.advice,
        apps=_apps(context, stack, project, site, containers, trace, seen),
        https=https,
        http=http,
        logged=logged,
        now=context.now(),
        maintenance=described(maintenance, context.now()) if maintenance else None,
        behind=stack.behind,
        blocked=_blocked(blocks, asked, stack.pages),
        unavailable=maintenance is not None and maintenance.is_for(asked.source, context.now()),
    )
    return CollectedTrace(facts, log.earlier)


def _completed(asked: Request) -> Request:
    """Return a request with the headers that are sent where it has none of the name."""
    own = [(name, value) for name, value in REQUEST_HEADERS if asked.header(name.lower()) is None]
    return replace(asked, headers=(*asked.headers, *own))


def _blocked(blocks: Sequence[Blocked], asked: Request, contents: Mapping[str, bytes]) -> str | None:
    """Return the network for which a client is refused by ``block``."""
    source = asked.source
    found = (one.network_of(source, contents) for one in blocks) if source is not None else ()
    return next((str(one) for one in found if one is not None), None)


def _held_back(site: Site | None, asked: Request, now: datetime, *, blocks: bool) -> str | None:
    """Return why a request is not sent; None if it is. ``blocks`` is whether any client is refused by ``block``."""
    if asked.method not in SAFE:
        return f"{asked.method} may change something, so the request is not sent"
    rules = router.rules_of(site) if site else []
    matches = [of for rule in rules for of in (rule.match.all_of, rule.match.none_of) if of]
    maintenance = site.maintenance if site else None
    admits = maintenance is not None and bool(maintenance.allow) and not maintenance.has_ended(now)
    lists = site is not None and any(one.access.allow or one.access.deny for one in site.tunings)
    if asked.source is not None and (admits or lists or blocks or any(of.sources for of in matches)):
        return f"only {asked.source} can send from that address, so the request is not sent"
    return None


def refused_tls(context: Context, stack: Stack, project: Project, name: Domain, path: str) -> RefusedTls | None:
    """Request ``path`` of ``name``; return why the proxy refuses the TLS handshake of its app, None if it does not."""
    facts = collect_trace(context, stack, project, name, Request("GET", path)).facts
    message = next((one.message for one in reversed(facts.logged) if "SSL" in one.message), None)
    return RefusedTls(message, facts.advice(message).todo) if message else None


def _live_files(context: Context, layout: ProxyLayout) -> Files:
    """Return the live generation, and the user's own files that it may include."""
    custom = context.directory.root / layout.custom
    with host_errors():
        own = {
            f"{CUSTOM_FOLDER}/{path.relative_to(custom)}": read_regular(path)
            for path in custom.rglob("*")
            if path.is_file()
        }
    return {**own, **context.delivery(layout).live()}


def _holder(context: Context, stack: Stack, https: Reply, proxy: Container | None) -> str | None:
    """Return which process or container uses port 443 if it is not the proxy."""
    if https.failure is Failure.UNSENT or (proxy and proxy.running and https.failure is not Failure.CONNECT):
        return None
    at = stack.proxy.for_visitors.at
    return context.containers.publisher(at) or context.wire.owner(at)


def _may_be_logged(trace: Trace | None, reply: Reply) -> bool:
    """Return whether the proxy itself may have sent this response, and logged the reason."""
    if reply.failure in {Failure.CONNECT, Failure.HANDSHAKE} or trace is None:
        return False
    own = trace.action.outcome is not Outcome.PROXY
    status = reply.status or 599
    return status >= 500 or status in _PROXY_SAYS or (own and status >= 400)


def _apps(  # noqa: PLR0913  (each is a fact that the caller has)
    context: Context,
    stack: Stack,
    project: Project,
    site: Site | None,
    containers: Deployment,
    trace: Trace | None,
    proxy: Inspected | None,
) -> tuple[AppFacts, ...]:
    """Return the facts of the server behind each target of the live trace."""
    action: Action | None = trace.action if trace else None
    networks = frozenset(proxy.networks) if proxy and proxy.running else None
    health = servers_health(context, stack, containers)
    found = []
    for target in action.targets if action else ():
        known = target.host in project.services or target.host in stack.services
        service = ServiceName(target.host) if known else None
        subject = site.name if site else str(target)
        ours = next((server for server in site.servers if server.service == service), None) if site else None
        where = (ours.where or site.where) if site and ours else action.place if action else ""
        server = project.named(Server(target, service))
        answers = _answers(context, target) if server.service is None else None
        found.append(
            app_facts(
                context,
                containers,
                networks,
                subject,
                server,
                where,
                answers=answers,
                idle=idle(project, server),
                asked=of_server(health, site.name, Server(target)) if site else (),
            )
        )
    return tuple(found)


def _answers(context: Context, target: Endpoint) -> bool | None:
    """Return whether a target outside Compose accepts connections; None for a name that only Docker may resolve."""
    plain = "." not in target.host and not target.is_address
    return True if context.wire.answers(target) else None if plain else False


class _Log:
    """The errors that the proxy logs for one name, before and after a request."""

    def __init__(self, context: Context, kind: Proxy, proxy: Container | None, name: str) -> None:
        self._context, self._kind, self._proxy, self._name = context, kind, proxy, name
        self.earlier = self._read()

    def _read(self) -> tuple[LoggedError, ...]:
        if self._proxy is None:
            return ()
        try:
            log = self._context.containers.log(self._proxy.id, LOG_LINES)
        except EngineError:
            return ()  # a logging driver that cannot be read
        return tuple(error for error in self._kind.logged_errors(log) if error.host == self._name)

    def new(self, *, wait: bool) -> tuple[LoggedError, ...]:
        """Return the errors logged since then; with ``wait``, give the last line time to arrive."""
        known = {error.line for error in self.earlier}

        def look() -> tuple[LoggedError, ...] | None:
            return tuple(error for error in self._read() if error.line not in known) or None

        return wait_for(look, LOG_SECONDS if wait else 0.0) or ()
