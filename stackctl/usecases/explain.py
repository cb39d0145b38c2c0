"""``stackctl explain``: traces one request, and names the hop that fails."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stackctl.diagnose.apps import AppFacts
from stackctl.diagnose.check import Verdict
from stackctl.diagnose.handshake import kind_of
from stackctl.diagnose.hops import Hop, HopKind
from stackctl.diagnose.route import acted, described
from stackctl.diagnose.trace import TraceFacts, judge_trace
from stackctl.engine.context import Context
from stackctl.engine.probe.parked import parked_sites
from stackctl.engine.probe.trace import collect_trace
from stackctl.errors import ExitCode
from stackctl.model.fields import Request
from stackctl.model.streams import Stream
from stackctl.model.values import Domain
from stackctl.proxies.trace import LoggedError
from stackctl.usecases.converge import load_current
from stackctl.usecases.result import Result, json_name

_ERRORS = 5
"""The number of proxy errors to show."""


@dataclass(frozen=True, slots=True)
class HopReport:
    """One hop of the request."""

    kind: HopKind = field(metadata=json_name("link"))
    verdict: Verdict
    text: str
    where: str | None
    why: str | None
    todo: str | None


@dataclass(frozen=True, slots=True)
class ShownCertificate:
    """The certificate of a TLS handshake; ``served`` says whether it is the site's own."""

    issuer: str
    not_after: datetime
    days_left: int
    names: tuple[str, ...]
    served: str


@dataclass(frozen=True, slots=True)
class ContainerReport:
    """A container that the request may reach.

    Attributes:
        networks: its address in each network, by the network's name.
        port: the port that the site is routed to.
        listens: the addresses that its processes listen on; None if they cannot be read.
        share: the clients that get it, in percent of all; None if it is for all.
    """

    name: str = field(metadata=json_name("container"))
    service: str | None
    state: str
    health: str | None
    networks: Mapping[str, str]
    port: int
    listens: tuple[str, ...] | None
    share: int | None


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An error that the proxy logged about the site, and what to do about it."""

    time: str
    level: str
    message: str
    request: str | None
    upstream: str | None
    todo: str


@dataclass(frozen=True, slots=True)
class RouteReport:
    """The route that answers.

    Attributes:
        match: the requests that it is for, in words, and ``action`` what it does.
        rule: whether it is tried in order, before those that have only paths.
        prefix: what is taken off the path.
        seen: the target that the app gets; None if the request is refused.
    """

    where: str
    match: str
    action: str
    rule: bool
    prefix: str | None
    seen: str | None


@dataclass(frozen=True, slots=True)
class EarlierReport:
    """A route that is tried before, and the condition that the request does not meet."""

    where: str
    match: str
    why: str


@dataclass(frozen=True, slots=True)
class ExplainReport:
    """The trace of a request, hop by hop.

    Attributes:
        sent: whether the request was sent; one that may change something is not.
        whole: whether every hop works; ``broken`` is the first that does not.
        hops: those of the HTTPS request, then that of the plain HTTP request, if they are sent.
        route: None if no route answers.
        earlier: the routes that are tried before it.
        status: of the HTTPS response; None if there is none. ``http_status`` is that of plain HTTP.
        location: the target of a redirect.
        log: the last errors, newest last.
    """

    domain: Domain
    path: str
    method: str
    sent: bool
    whole: bool
    broken: HopReport | None
    hops: tuple[HopReport, ...] = field(metadata=json_name("links"))
    route: RouteReport | None
    earlier: tuple[EarlierReport, ...]
    status: int | None
    location: str | None
    http_status: int | None
    http_location: str | None
    certificate: ShownCertificate | None
    containers: tuple[ContainerReport, ...]
    log: tuple[LogEntry, ...]


def explain(context: Context, name: Domain, request: Request) -> Result[ExplainReport]:
    """Send a request for ``name``, and trace it from the published port to the app; one that may act is only traced."""
    loaded = load_current(context)
    stream = loaded.stack.stream(name)
    if stream is not None:
        return _passed_on(stream, request, parked_sites(context, loaded.stack).get(name))
    gathered = collect_trace(context, loaded.stack, loaded.project, name, request)
    facts = gathered.facts
    judged = judge_trace(facts)
    broken = judged.broken
    report = ExplainReport(
        domain=name,
        path=request.target,
        method=request.method,
        sent=facts.held_back is None,
        whole=broken is None,
        broken=_hop(broken) if broken else None,
        hops=tuple(_hop(hop) for hop in judged.all),
        route=_route(facts),
        earlier=tuple(_earlier(facts)),
        status=facts.https.status,
        location=facts.https.location,
        http_status=facts.http.status,
        http_location=facts.http.location,
        certificate=_certificate(facts, facts.now),
        containers=tuple(one for app in facts.apps for one in _containers(app, facts)),
        log=tuple(_logged(error, facts) for error in (*gathered.earlier, *facts.logged)[-_ERRORS:]),
    )
    notes = () if facts.held_back is None else (f"{facts.held_back}: this is what the files say",)
    return Result("explain", report, notes=notes, found=ExitCode.OK if broken is None else ExitCode.FAILED)


def _passed_on(stream: Stream, request: Request, reason: str | None) -> Result[ExplainReport]:
    """Say that nothing of the request is seen: its TLS is not terminated; ``reason`` is why the stream is parked."""
    name = stream.name
    server = f"the connection is passed on to {stream.upstream} as it is: the app has the certificate, and answers"
    hops = [Hop(HopKind.SERVER, Verdict.OK, server, stream.where)]
    if reason is not None:
        todo = "correct the cause, then run 'stackctl up'"
        hops = [Hop(HopKind.SERVER, Verdict.WRONG, f"{name} is parked: {reason}", stream.where, todo)]
    report = ExplainReport(
        domain=name,
        path=request.target,
        method=request.method,
        sent=False,
        whole=reason is None,
        broken=None if reason is None else _hop(hops[0]),
        hops=tuple(map(_hop, hops)),
        route=None,
        earlier=(),
        status=None,
        location=None,
        http_status=None,
        http_location=None,
        certificate=None,
        containers=(),
        log=(),
    )
    note = f"{name} is a stream: nothing was sent; 'stackctl doctor' says whether its app can be reached"
    return Result("explain", report, notes=(note,), found=ExitCode.OK if reason is None else ExitCode.FAILED)


def _route(facts: TraceFacts) -> RouteReport | None:
    routed, site = facts.routed, facts.site
    if routed is None or routed.route is None or site is None:
        return None
    route = routed.route
    where = route.where or site.where
    return RouteReport(where, described(route.match), acted(route.action), route.is_rule, routed.prefix, routed.seen)


def _earlier(facts: TraceFacts) -> Iterator[EarlierReport]:
    for passed in facts.routed.earlier if facts.routed else ():
        yield EarlierReport(passed.route.where, described(passed.route.match), passed.reason)


def _hop(hop: Hop) -> HopReport:
    return HopReport(hop.kind, hop.verdict, hop.text, hop.where, hop.why, hop.todo)


def _certificate(facts: TraceFacts, now: datetime) -> ShownCertificate | None:
    shown = facts.https.certificate
    if shown is None:
        return None
    served = kind_of(shown, facts.held)
    return ShownCertificate(shown.issuer, shown.not_after, shown.days_left(now), tuple(shown.names), served)


def _containers(app: AppFacts, facts: TraceFacts) -> Iterator[ContainerReport]:
    shared = facts.trace.action.share_of(app.server.endpoint) if facts.trace else None
    share = None if shared is None else round(shared.percent)
    for one in app.containers:
        listens = None if one.listeners is None else tuple(str(listener) for listener in one.listeners)
        service, port = app.server.service, app.server.endpoint.port
        yield ContainerReport(one.name, service, one.state, one.health, dict(one.networks), port, listens, share)


def _logged(error: LoggedError, facts: TraceFacts) -> LogEntry:
    todo = facts.advice(error.message).todo
    return LogEntry(error.time, error.level, error.message, error.request, error.upstream, todo)
