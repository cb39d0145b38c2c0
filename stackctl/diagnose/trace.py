"""Judge the trace of one request: each hop, and the one that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from stackctl.certs.held import Held
from stackctl.diagnose.access import judge_access
from stackctl.diagnose.answer import JudgedAnswer, judge_answer
from stackctl.diagnose.apps import SETTLED, AppFacts, judge_app
from stackctl.diagnose.check import Check, Verdict
from stackctl.diagnose.client import client_hops
from stackctl.diagnose.handshake import judge_handshake
from stackctl.diagnose.health import described
from stackctl.diagnose.hops import Hop, HopKind
from stackctl.diagnose.limits import judge_limits
from stackctl.diagnose.route import is_plain, judge_route
from stackctl.model.backends import Server
from stackctl.model.edge import Behind
from stackctl.model.fields import Request
from stackctl.model.router import Routed
from stackctl.model.routing import Answer, Site
from stackctl.observed.containers import Inspected
from stackctl.observed.reply import Failure, Reply
from stackctl.proxies.trace import Advice, LoggedError, Outcome, RuleKind, ServerMatch, Share, Trace

_TOO_MANY = 429
_UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """Facts about one request.

    Attributes:
        held_back: why the request is not sent; None if it is.
        site: the site in the Compose file, and ``routed`` which of its routes answers; None for a name of no site.
        owner: the app that has the name in the Compose file; None for a name that is not routed.
        owner_where: ``file:line`` of the name.
        servers: the servers of the site in the Compose file.
        maintenance: what requests of the site get during a maintenance; None if it is in none. ``unavailable`` is
            whether this request does.
        http_at: where port 80 is published; ``https_at`` the same of port 443.
        holder: the process or container that holds port 443, if the proxy does not.
        proxy: the proxy's container; None if there is none.
        trace: how the live files route the request on port 443; ``http_trace`` on port 80.
        apps: the app behind each target of the trace.
        https: the reply over TLS; ``http`` that of port 80.
        logged: the errors that the proxy logged about this request.
        custom: the directory of the user's own proxy files.
        advice: returns what to do about a logged error.
        behind: what is in front of the proxy; None if clients connect to it themselves.
        blocked: the network for which the client is refused by ``block``.
    """

    name: str
    request: Request
    held_back: str | None
    site: Site | None
    routed: Routed | None
    file: str
    owner: str | None
    owner_where: str | None
    servers: Sequence[Server]
    http_at: str
    https_at: str
    holder: str | None
    proxy: Inspected | None
    trace: Trace | None
    http_trace: Trace | None
    held: Held | None
    apps: Sequence[AppFacts]
    https: Reply
    http: Reply
    logged: Sequence[LoggedError]
    now: datetime
    custom: str
    advice: Callable[[str], Advice]
    maintenance: str | None = None
    unavailable: bool = False
    behind: Behind | None = None
    blocked: str | None = None


@dataclass(frozen=True, slots=True)
class JudgedTrace:
    """The hops of an HTTPS request in order, and the one of the plain HTTP request."""

    hops: tuple[Hop, ...]
    http: Hop | None

    @property
    def all(self) -> tuple[Hop, ...]:
        """All of them; of a request that is not sent those that the files show."""
        return self.hops if self.http is None else (*self.hops, self.http)

    @property
    def broken(self) -> Hop | None:
        """The hop that fails, or None."""
        return next((hop for hop in self.all if hop.verdict is Verdict.WRONG), None)


def judge_trace(facts: TraceFacts) -> JudgedTrace:
    """Return each hop of the request with what is wrong there."""
    if facts.held_back is not None:
        hops = [_name(facts), *client_hops(facts.behind), *_route(facts), *_through_files(facts)]
        return JudgedTrace(tuple(_first_broken(hops)), None)
    hops = [_name(facts), _port(facts), *client_hops(facts.behind)]
    if facts.behind is not None and facts.behind.terminated:
        return JudgedTrace(tuple(_first_broken([*hops, *_route(facts), *_through_files(facts)])), None)
    hops.append(judge_handshake(facts.name, facts.owner, facts.held, facts.https, facts.now))
    hops += [*_route(facts), *_through_files(facts)]
    *https, http = _first_broken([*hops, _http(facts)])
    return JudgedTrace(tuple(https), http)


def _route(facts: TraceFacts) -> list[Hop]:
    """Return the hop of the route, of a site that has any but that of every request, and those of its limits."""
    if facts.site is None or facts.routed is None:
        return []
    if facts.blocked is not None:
        todo = "remove it from 'block', of the site or at the top; behind a CDN or a balancer, see the key 'behind'"
        return [Hop(HopKind.ACCESS, Verdict.WRONG, f"the proxy answers 403: {facts.blocked} is in 'block'", None, todo)]
    route = [] if is_plain(facts.site) else [judge_route(facts.site, facts.routed)]
    refusals = [one for error in facts.logged if (one := facts.advice(error.message)).refused]
    refused = facts.https.status == _TOO_MANY and facts.held_back is None
    limits = judge_limits(facts.site, facts.routed, refusals[-1] if refused and refusals else None)
    status = facts.https.status if facts.held_back is None else None
    return [*route, *limits, *judge_access(facts.site, facts.routed, facts.request, status)]


def _first_broken(hops: Sequence[Hop]) -> list[Hop]:
    """Return the hops with only the first failure judged: later ones may be its consequence, but not other servers."""
    first = next((hop.kind for hop in hops if hop.verdict is Verdict.WRONG), None)
    failed = False
    judged: list[Hop] = []
    for hop in hops:
        beside = first is HopKind.CONTAINER and hop.kind is HopKind.CONTAINER
        judged.append(hop.unjudged() if failed and not beside and hop.verdict is Verdict.WRONG else hop)
        failed = failed or hop.verdict is Verdict.WRONG
    return judged


def _name(facts: TraceFacts) -> Hop:
    if facts.owner is None and (facts.trace is None or facts.trace.match is ServerMatch.DEFAULT):
        text = f"{facts.name} is not routed: no app in {facts.file} has it"
        todo = f"route it with 'stackctl add-app {facts.name}', or correct the name"
        return Hop(HopKind.NAME, Verdict.WRONG, text, None, todo)
    if facts.owner is None:
        return Hop(HopKind.NAME, Verdict.OK, f"{facts.name} is routed only by your own proxy files")
    alias = "" if facts.owner == facts.name else f", an alias of {facts.owner}"
    return Hop(HopKind.NAME, Verdict.OK, f"{facts.name}{alias}", facts.owner_where)


def _port(facts: TraceFacts) -> Hop:
    at = facts.https_at
    if facts.proxy is not None and _keeps_restarting(facts, facts.proxy):
        last = f": {facts.proxy.last_line}" if facts.proxy.last_line else ""
        todo = "correct what it reports, which 'stackctl doctor' and 'stackctl logs' show, then run 'stackctl up'"
        return Hop(HopKind.PORT, Verdict.WRONG, f"{at}: {facts.proxy.name} is in a crash loop{last}", None, todo)
    if facts.proxy is None or not facts.proxy.running:
        state = f"{facts.proxy.name} is {facts.proxy.state}" if facts.proxy else "the proxy has no container"
        holder = f"; {at} is in use by {facts.holder}" if facts.holder else ""
        todo = _free_port(facts) or "run 'stackctl up'; 'stackctl logs' shows why it ended"
        return Hop(HopKind.PORT, Verdict.WRONG, f"{at}: {state}{holder}", None, todo)
    if facts.https.failure is Failure.CONNECT:
        holder = f": it is in use by {facts.holder}" if facts.holder else ""
        todo = _free_port(facts) or "run 'stackctl up', which publishes it"
        return Hop(HopKind.PORT, Verdict.WRONG, f"{at} does not reach {facts.proxy.name}{holder}", None, todo)
    health = f", {facts.proxy.health}" if facts.proxy.health else ""
    return Hop(HopKind.PORT, Verdict.OK, f"{at}, published by {facts.proxy.name} ({facts.proxy.state}{health})")


def _keeps_restarting(facts: TraceFacts, proxy: Inspected) -> bool:
    """Return whether the proxy ends again and again; between two ends it runs for a moment."""
    if proxy.running and proxy.restarts and facts.https.failure and facts.http.failure:
        return proxy.started is None or facts.now - proxy.started < SETTLED
    return proxy.state == "restarting"


def _free_port(facts: TraceFacts) -> str | None:
    """Return what to do before 'up' if another process or container holds the port."""
    return f"stop {facts.holder}, or publish the proxy elsewhere; then run 'stackctl up'" if facts.holder else None


def _through_files(facts: TraceFacts) -> list[Hop]:
    """Return the hops from the server block to the answer."""
    trace = facts.trace
    if trace is None:
        todo = "run 'stackctl up'"
        return [Hop(HopKind.SERVER, Verdict.WRONG, "the live files have no server on port 443", None, todo)]
    if trace.match is ServerMatch.DEFAULT:
        text = f"{trace.server.text} (the default): {trace.action.text}"
        return [Hop(HopKind.SERVER, Verdict.WRONG, text, trace.server.place, "run 'stackctl up'")]
    how = "" if trace.match is ServerMatch.EXACT else f" (by {trace.match.value})"
    hops = [Hop(HopKind.SERVER, Verdict.OK, f"{trace.server.text}{how}", trace.server.place)]
    if facts.maintenance is not None and _is_unavailable(facts, trace):
        todo = f"'stackctl maintenance off {facts.owner}' ends it"
        return [*hops, Hop(HopKind.ANSWER, Verdict.WRONG, f"503, {facts.maintenance}", facts.owner_where, todo)]
    checks = [(app, judge_app(app)) for app in facts.apps]
    fault = next((check for _, found in checks for check in found if check.verdict is Verdict.WRONG), None)
    answer = _answer(facts, trace, fault)
    hops.append(_location(trace, answer))
    if trace.action.outcome is Outcome.PROXY:
        hops.append(_upstream(facts, trace, answer))
        hops += [_container(app, found, answer, trace.action.share_of(app.server.endpoint)) for app, found in checks]
    if facts.held_back is None:
        hops.append(answer.hop(HopKind.ANSWER, answer.text))
    return hops


def _is_unavailable(facts: TraceFacts, trace: Trace) -> bool:
    """Return whether the request gets the answer of the maintenance; of one that is not sent the live files say it."""
    if facts.held_back is None:
        return facts.https.status == _UNAVAILABLE
    return facts.unavailable and any(rule.kind is RuleKind.MAINTENANCE for rule in trace.rules)


def _answer(facts: TraceFacts, trace: Trace, fault: Check | None) -> JudgedAnswer:
    """Return how the request ended; of one that is not sent only what the app's containers show."""
    if facts.held_back is not None:
        if fault is None:
            return JudgedAnswer(facts.held_back)
        return JudgedAnswer(facts.held_back, HopKind.CONTAINER, fault.text, fault.todo)
    action = facts.routed.route.action if facts.routed and facts.routed.route else None
    if isinstance(action, Answer) and action.status == facts.https.status:
        return JudgedAnswer(f"{action.status}, by the proxy itself, as the route says")
    return judge_answer(facts.name, facts.request.target, trace, facts.https, facts.logged, fault, facts.advice)


def _location(trace: Trace, answer: JudgedAnswer) -> Hop:
    if trace.location is None:
        text = (
            trace.action.text
            if trace.action.outcome is not Outcome.FILES
            else f"no location matches: {trace.action.text}"
        )
        return answer.hop(HopKind.LOCATION, text, trace.action.place)
    text = trace.location.text
    if trace.action.outcome is not Outcome.PROXY:
        text = f"{text}: {trace.action.text}"
    return answer.hop(HopKind.LOCATION, text, trace.location.place)


def _upstream(facts: TraceFacts, trace: Trace, answer: JudgedAnswer) -> Hop:
    shares = [f"{', '.join(map(str, one.targets))} for {one}" for one in trace.action.shares]
    targets = ", ".join(shares or map(str, trace.action.targets)) or "known only when a request arrives"
    text = f"{targets}, by {trace.action.text}"
    configured = {server.endpoint for server in facts.servers}
    stale = bool(configured) and bool(trace.action.targets) and configured.isdisjoint(trace.action.targets)
    generated = not trace.action.place.startswith(f"{facts.custom}/")
    if stale and generated:
        text = f"{text}; {facts.file} now says {', '.join(map(str, facts.servers))}"
        if answer.at in {HopKind.UPSTREAM, HopKind.CONTAINER}:
            todo = "run 'stackctl up', which makes it live"
            return Hop(HopKind.UPSTREAM, Verdict.WRONG, text, trace.action.place, todo)
    return answer.hop(HopKind.UPSTREAM, text, trace.action.place)


def _container(app: AppFacts, checks: Sequence[Check], answer: JudgedAnswer, share: Share | None) -> Hop:
    fault = next((check for check in checks if check.verdict is Verdict.WRONG), None)
    if app.server.service is None:
        text = f"{app.server}, outside Compose"
    else:
        text = "; ".join(_described(app, one) for one in app.containers) or checks[0].text
    text = "; ".join([text, *(described(one) for one in app.asked if not one.up)])
    if share is not None:
        text = f"{share} of the clients: {text}"
    # This request may have been one of another share.
    if fault is not None and (answer.at is HopKind.CONTAINER or share is not None):
        return Hop(HopKind.CONTAINER, Verdict.WRONG, text, app.where, fault.todo, fault.text)
    return Hop(HopKind.CONTAINER, Verdict.OK, text)


def _described(app: AppFacts, container: Inspected) -> str:
    shared = sorted((app.proxy_networks or frozenset(container.networks)) & set(container.networks))
    at = ", ".join(f"{network} at {container.networks[network]}" for network in shared) or "no network of the proxy"
    health = container.health or "no health check"
    return f"{container.name} on {at}, port {app.server.endpoint.port}: {container.state}, {health}"


def _http(facts: TraceFacts) -> Hop:
    """Return the hop of the plain HTTP request."""
    reply, trace = facts.http, facts.http_trace
    where = (trace.location or trace.server).place if trace else None
    if reply.failure is Failure.CONNECT:
        text = f"{facts.http_at}: {reply.failure.value}"
        todo = "run 'stackctl up': certificates are renewed over port 80"
        return Hop(HopKind.HTTP, Verdict.WRONG, text, None, todo)
    answer = reply.failure.value if reply.failure else str(reply.status)
    return Hop(HopKind.HTTP, Verdict.OK, f"{answer} to {reply.location}" if reply.location else answer, where)
