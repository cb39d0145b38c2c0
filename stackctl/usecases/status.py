"""``stackctl status``: reports the current state of each site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stackctl.adapters.disk.draining import is_drained
from stackctl.certs.held import Held, held
from stackctl.certs.shelf import Source
from stackctl.diagnose.check import found_wrong
from stackctl.diagnose.handshake import kind_of
from stackctl.diagnose.health import described as described_health
from stackctl.diagnose.imported import ending
from stackctl.diagnose.local_ca import cannot_renew
from stackctl.diagnose.loop import LoopFacts, judge_loop
from stackctl.diagnose.maintenance import described
from stackctl.engine.context import Context
from stackctl.engine.probe.apps import endpoints_answer
from stackctl.engine.probe.health import of_server, servers_health
from stackctl.engine.probe.loop import loop
from stackctl.engine.probe.parked import parked_and_pinned
from stackctl.engine.probe.workers import OldWorkers, old_workers
from stackctl.model.backends import Server
from stackctl.model.matching import EVERY_PATH
from stackctl.model.routing import Site
from stackctl.model.second import second_of
from stackctl.model.streams import Transport
from stackctl.model.values import Domain
from stackctl.observed.containers import Deployment
from stackctl.plan.retire import unused_lineages
from stackctl.proxies.health import ServerHealth
from stackctl.usecases.conditions import NO_SERVER, condition, with_answers, worst
from stackctl.usecases.converge import Loaded, load_current
from stackctl.usecases.renamed import refuse_renamed
from stackctl.usecases.result import Result, json_name


@dataclass(frozen=True, slots=True)
class RouteStatus:
    """The current state of one route of a site.

    Attributes:
        match: the requests that it is for: their path, or the conditions of a rule.
        target: its servers, or what the proxy itself answers.
        health: the worst health of its servers; None if it has none.
        where: ``file:line`` of its definition.
    """

    match: str
    target: str
    health: str | None
    where: str


@dataclass(frozen=True, slots=True)
class AskedServer:
    """A server that the proxy asks all the time.

    Attributes:
        address: None for a name that does not resolve.
        state: ``up`` or ``down``; ``since`` is when it came into it.
        left_out: whether it gets no requests.
        reason: what is wrong, in words; None while it is up.
    """

    server: str
    address: str | None
    state: str
    since: datetime
    left_out: bool
    reason: str | None


@dataclass(frozen=True, slots=True)
class SiteStatus:
    """The current state of a site.

    Attributes:
        upstream: all servers of the site.
        health: the worst health of its services and of its servers outside Compose.
        issuer: the issuer of the certificate on disk; None if there is none.
        certificate_problem: why that certificate cannot be served.
        served: the certificate of a TLS handshake: ``real``, ``dummy``, ``other`` or ``nothing``; or ``http`` if TLS
            ends in front of the proxy.
        routes: each path of its routes, and each rule; the path ``/``, if it has a route, is the first.
        maintenance: what its requests get during a maintenance; None if it is in none.
        parked: why the site was taken out of the proxy's configuration; None if it was not.
        servers: those that the proxy asks all the time.
        source: where the certificate that it is to be served with comes from, such as ``acme`` or ``imported``.
        ending: that nothing renews its certificate, which is imported and ends soon or is of a local CA that lost its
            key, or that its second certificate is missing, and what to do; or None.
    """

    name: Domain = field(metadata=json_name("app"))
    aliases: tuple[Domain, ...]
    upstream: str
    health: str
    issuer: str | None
    not_after: datetime | None
    days_left: int | None
    certificate_problem: str | None
    served: str
    routes: tuple[RouteStatus, ...]
    maintenance: str | None = None
    parked: str | None = None
    servers: tuple[AskedServer, ...] = ()
    source: str = Source.DUMMY
    ending: str | None = None


@dataclass(frozen=True, slots=True)
class StreamStatus:
    """The current state of a stream.

    Attributes:
        stream: its port, or the name whose TLS it passes on.
        allow: the clients that are let through; empty for all.
        health: as that of a site; ``unknown`` for packets to something outside Compose.
        where: ``file:line`` of its definition.
        parked: why it was taken out of the proxy's configuration; None if it was not.
    """

    stream: str
    upstream: str
    allow: tuple[str, ...]
    health: str
    where: str
    parked: str | None = None


@dataclass(frozen=True, slots=True)
class FailingCertificate:
    """A certificate that the last round of the renewal loop could not renew, and why; the name is empty for all."""

    certificate: str
    reason: str


@dataclass(frozen=True, slots=True)
class RenewalStatus:
    """The state of the renewal loop.

    Attributes:
        problem: what is wrong with it, or None.
        last_round: when its last round ended.
        last_success: when a round last succeeded.
        failing: what that round could not renew.
    """

    problem: str | None = None
    last_round: datetime | None = None
    last_success: datetime | None = None
    failing: tuple[FailingCertificate, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusReport:
    """The Compose project, the state of the proxy's container, each site, and the renewal loop.

    ``unused`` are the certificates in certbot's tree that no site uses, ``old_workers`` those of the proxy that finish
    what they began before a reload, and ``deploying`` the services whose deploy has not ended.
    ``drained`` is whether a load balancer takes this host out.
    """

    project: str
    proxy: str
    sites: tuple[SiteStatus, ...] = field(metadata=json_name("apps"))
    renewal: RenewalStatus = RenewalStatus()
    unused: tuple[str, ...] = ()
    streams: tuple[StreamStatus, ...] = ()
    old_workers: OldWorkers | None = None
    deploying: tuple[str, ...] = ()
    drained: bool = False


def status(context: Context) -> Result[StatusReport]:
    """Return each site with its upstream, its certificate and the certificate that the proxy serves."""
    loaded = load_current(context)
    stack = loaded.stack
    containers = context.orchestrator.containers(loaded.project.name)
    now = context.now()
    refuse_renamed(context, loaded.project, stack, containers)
    shelf = context.directory.shelf((site.name for site in stack.sites), now)
    https = stack.proxy.https
    served = context.wire.offered(https.at, [site.name for site in stack.sites]) if https and stack.sites else {}
    # Each server is probed once, however many sites share it.
    servers = dict.fromkeys(server for site in stack.sites for server in site.servers)
    answers = endpoints_answer(context, (server.endpoint for server in servers if server.service is None))
    health = {server: condition(server, containers, answers) for server in servers}
    asked = servers_health(context, stack, containers)
    parked, pins = parked_and_pinned(context, stack)
    rows: list[SiteStatus] = []
    for site in stack.sites:
        there = held(site, shelf)
        own = {server: with_answers(health[server], of_server(asked, site.name, server)) for server in site.servers}
        certificate = there.on_disk
        shown = served.get(site.name)
        rows.append(
            SiteStatus(
                name=site.name,
                aliases=site.aliases,
                upstream=", ".join(str(server.upstream) for server in site.servers),
                health=worst(site.servers, own) or NO_SERVER,
                issuer=certificate.issuer if certificate else None,
                not_after=certificate.not_after if certificate else None,
                days_left=certificate.days_left(now) if certificate else None,
                certificate_problem=there.problem if https else None,
                served="http" if https is None else "nothing" if shown is None else kind_of(shown, there),
                routes=_routes(site, own),
                maintenance=_maintenance(site, now),
                parked=parked.get(site.name),
                servers=tuple(map(_asked, asked.of(site.name))),
                source=there.source,
                ending=ending(site, there, now) or cannot_renew(there, shelf.local_ca) or _lacks_second(site, there),
            )
        )
    proxies = containers.of(stack.proxy.service)
    report = StatusReport(
        project=loaded.project.name,
        proxy=proxies[0].state if proxies else "missing",
        sites=tuple(rows),
        renewal=_renewal(loop(context, stack, containers)),
        unused=tuple(one.name for one in unused_lineages(shelf, stack.sites)),
        streams=tuple(_streams(context, loaded, containers, parked)),
        old_workers=old_workers(context, stack, containers),
        deploying=tuple(sorted(pins)),
        drained=is_drained(context.directory.root, context.proxy_of(stack).layout),
    )
    return Result("status", report)


def _lacks_second(site: Site, there: Held) -> str | None:
    if second_of(site) is None or there.second is not None:
        return None
    return f"it has no certificate with an {str(site.second_key).upper()} key: run 'stackctl up'"


def _streams(
    context: Context, loaded: Loaded, containers: Deployment, parked: Mapping[Domain, str]
) -> Iterator[StreamStatus]:
    named = [(stream, loaded.project.named(stream.server)) for stream in loaded.stack.streams]
    outside = [one.upstream for one, server in named if server.service is None and one.transport is Transport.TCP]
    answers = endpoints_answer(context, outside)
    for stream, server in named:
        known = server.service is not None or stream.upstream in answers
        yield StreamStatus(
            str(stream.port or stream.name),
            str(stream.upstream),
            tuple(map(str, stream.allow)),
            condition(server, containers, answers) if known else "unknown",
            stream.where,
            parked.get(stream.name),
        )


def _maintenance(site: Site, now: datetime) -> str | None:
    there = site.maintenance
    return None if there is None or there.has_ended(now) else described(there, now)


def _routes(site: Site, health: Mapping[Server, str]) -> tuple[RouteStatus, ...]:
    """Return one row for each path that competes with others, and for each rule."""
    rows = [
        RouteStatus(match, str(route.action), worst(route.servers, health), route.where)
        for route in site.routes
        for match in ([str(route.match)] if route.is_rule else map(str, route.match.all_of.paths))
    ]
    return tuple(sorted(rows, key=lambda row: row.match != str(EVERY_PATH)))


def _renewal(facts: LoopFacts) -> RenewalStatus:
    broken = found_wrong(judge_loop(facts))
    failing = tuple(FailingCertificate(name, reason) for name, reason in facts.failing.items())
    last, success = facts.believed(facts.checked), facts.believed(facts.succeeded)
    return RenewalStatus(broken[0].text if broken else None, last, success, failing)


def _asked(one: ServerHealth) -> AskedServer:
    address = str(one.address) if one.address else None
    reason = None if one.up else described_health(one)
    return AskedServer(one.server, address, "up" if one.up else "down", one.since, one.left_out, reason)
