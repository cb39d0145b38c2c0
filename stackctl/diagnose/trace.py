"""The way of one request, link by link, and which of its links is broken."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from stackctl.certs.held import Held
from stackctl.diagnose.answer import Answered, judge_answer
from stackctl.diagnose.apps import AppFacts, judge_app
from stackctl.diagnose.check import Check, Verdict
from stackctl.diagnose.hops import Hop, HopKind
from stackctl.diagnose.shown import judge_shown
from stackctl.model.routing import Server
from stackctl.observed.containers import Inspected
from stackctl.observed.reply import Failure, Reply
from stackctl.proxies.trace import Advice, LoggedError, Outcome, ServerMatch, Trace


@dataclass(frozen=True, slots=True)
class TraceFacts:
    """What is known of the way of one request.

    Attributes:
        owner: the app whose name it is by the Compose file; None for a name that is not routed.
        owner_where: ``file:line`` of that.
        servers: those of the site by the Compose file.
        http_at: where port 80 is published, ``https_at`` where 443 is.
        holder: who holds the place of port 443 where the proxy does not.
        proxy: the proxy's container; None where there is none.
        trace: how the live files route it on port 443; ``http_trace`` on port 80.
        apps: what is behind each target of the trace.
        https: what came back by TLS; ``http`` from port 80.
        fresh: what the proxy logged about this very request.
        custom: the folder of the user's own files for the proxy.
        advice: gives what to do about a logged error.
    """

    name: str
    path: str
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
    fresh: Sequence[LoggedError]
    now: datetime
    custom: str
    advice: Callable[[str], Advice]


@dataclass(frozen=True, slots=True)
class JudgedTrace:
    """The links of a way in order; those of port 80 stand beside it."""

    links: tuple[Hop, ...]
    http: Hop

    @property
    def broken(self) -> Hop | None:
        """The link that is broken, or None."""
        return next((link for link in (*self.links, self.http) if link.verdict is Verdict.WRONG), None)


def judge_trace(facts: TraceFacts) -> JudgedTrace:
    """Each link of the way with what is wrong there."""
    links = [_name(facts), _port(facts)]
    links.append(judge_shown(facts.name, facts.owner, facts.held, facts.https, facts.now))
    links += _through_files(facts)
    *way, plain = _one_broken([*links, _plain(facts)])
    return JudgedTrace(tuple(way), plain)


def _one_broken(links: Sequence[Hop]) -> list[Hop]:
    """Behind a broken link others are not judged, but shown: they may be broken only by it."""
    seen = False
    judged: list[Hop] = []
    for link in links:
        judged.append(link.unjudged() if seen and link.verdict is Verdict.WRONG else link)
        seen = seen or link.verdict is Verdict.WRONG
    return judged


def _name(facts: TraceFacts) -> Hop:
    if facts.owner is None and (facts.trace is None or facts.trace.match is ServerMatch.DEFAULT):
        todo = f"route it with 'stackctl add-app {facts.name}', or correct the name"
        return Hop(
            HopKind.NAME, Verdict.WRONG, f"{facts.name} is not routed: {facts.file} does not have it", None, todo
        )
    if facts.owner is None:
        return Hop(HopKind.NAME, Verdict.OK, f"{facts.name} is routed by the proxy's own files alone")
    of = "" if facts.owner == facts.name else f", an alias of {facts.owner}"
    return Hop(HopKind.NAME, Verdict.OK, f"{facts.name}{of}", facts.owner_where)


def _port(facts: TraceFacts) -> Hop:
    at = facts.https_at
    if facts.proxy is None or not facts.proxy.running:
        state = f"{facts.proxy.name} is {facts.proxy.state}" if facts.proxy else "the proxy has no container"
        held = f"; {at} is held by {facts.holder}" if facts.holder else ""
        todo = _make_room(facts) or "run 'stackctl up'; 'stackctl logs' says why it ended"
        return Hop(HopKind.PORT, Verdict.WRONG, f"{at}: {state}{held}", None, todo)
    if facts.https.failure is Failure.CONNECT:
        held = f", and is held by {facts.holder}" if facts.holder else ""
        todo = _make_room(facts) or "run 'stackctl up', which publishes it"
        return Hop(HopKind.PORT, Verdict.WRONG, f"{at} does not lead to {facts.proxy.name}{held}", None, todo)
    health = f", {facts.proxy.health}" if facts.proxy.health else ""
    return Hop(HopKind.PORT, Verdict.OK, f"{at}, published by {facts.proxy.name} ({facts.proxy.state}{health})")


def _make_room(facts: TraceFacts) -> str | None:
    """What comes before 'up', which is refused a place that another holds."""
    return f"stop {facts.holder}, or publish the proxy elsewhere; then run 'stackctl up'" if facts.holder else None


def _through_files(facts: TraceFacts) -> list[Hop]:
    """Server block, location, upstream, container and answer."""
    trace = facts.trace
    if trace is None:
        todo = "run 'stackctl up'"
        return [Hop(HopKind.SERVER, Verdict.WRONG, "the live files have no server on port 443", None, todo)]
    if trace.match is ServerMatch.DEFAULT:
        text = f"{trace.server.text} (the default): {trace.action.text}"
        return [Hop(HopKind.SERVER, Verdict.WRONG, text, trace.server.place, "run 'stackctl up'")]
    how = "" if trace.match is ServerMatch.EXACT else f" (by {trace.match.value})"
    links = [Hop(HopKind.SERVER, Verdict.OK, f"{trace.server.text}{how}", trace.server.place)]
    checks = [(app, judge_app(app)) for app in facts.apps]
    wrong = next((check for _, found in checks for check in found if check.verdict is Verdict.WRONG), None)
    answered = judge_answer(facts.name, facts.path, trace, facts.https, facts.fresh, wrong, facts.advice)
    links.append(_location(trace, answered))
    if trace.action.outcome is Outcome.PROXY:
        links.append(_upstream(facts, trace, answered))
        links += [_container(app, found, answered) for app, found in checks]
    links.append(answered.link(HopKind.ANSWER, answered.text))
    return links


def _location(trace: Trace, answered: Answered) -> Hop:
    if trace.location is None:
        text = (
            trace.action.text if trace.action.outcome is not Outcome.FILES else f"no location fits: {trace.action.text}"
        )
        return answered.link(HopKind.LOCATION, text, trace.action.place)
    text = trace.location.text
    if trace.action.outcome is not Outcome.PROXY:
        text = f"{text}: {trace.action.text}"
    return answered.link(HopKind.LOCATION, text, trace.location.place)


def _upstream(facts: TraceFacts, trace: Trace, answered: Answered) -> Hop:
    targets = ", ".join(map(str, trace.action.targets)) or "only known at each request"
    text = f"{targets}, by {trace.action.text}"
    meant = {server.endpoint for server in facts.servers}
    stale = bool(meant) and bool(trace.action.targets) and meant.isdisjoint(trace.action.targets)
    ours = not trace.action.place.startswith(f"{facts.custom}/")
    if stale and ours:
        text = f"{text}; {facts.file} says {', '.join(map(str, facts.servers))} by now"
        if answered.at in {HopKind.UPSTREAM, HopKind.CONTAINER}:
            todo = "run 'stackctl up', which makes it live"
            return Hop(HopKind.UPSTREAM, Verdict.WRONG, text, trace.action.place, todo)
    return answered.link(HopKind.UPSTREAM, text, trace.action.place)


def _container(app: AppFacts, checks: Sequence[Check], answered: Answered) -> Hop:
    wrong = next((check for check in checks if check.verdict is Verdict.WRONG), None)
    if app.server.service is None:
        text = f"{app.server}, outside Compose"
    else:
        text = "; ".join(_shown(app, one) for one in app.containers) or checks[0].text
    if wrong is not None and answered.at is HopKind.CONTAINER:
        return Hop(HopKind.CONTAINER, Verdict.WRONG, text, app.where, wrong.todo, wrong.text)
    return Hop(HopKind.CONTAINER, Verdict.OK, text)


def _shown(app: AppFacts, container: Inspected) -> str:
    shared = sorted((app.proxy_networks or frozenset(container.networks)) & set(container.networks))
    at = ", ".join(f"{network} at {container.networks[network]}" for network in shared) or "no network of the proxy's"
    health = container.health or "no health check"
    return f"{container.name} on {at}, port {app.server.endpoint.port}: {container.state}, {health}"


def _plain(facts: TraceFacts) -> Hop:
    """What port 80 says."""
    reply, trace = facts.http, facts.http_trace
    where = (trace.location or trace.server).place if trace else None
    if reply.failure is Failure.CONNECT:
        text = f"{facts.http_at}: {reply.failure.value}"
        todo = "run 'stackctl up': without port 80 no certificate is renewed"
        return Hop(HopKind.HTTP, Verdict.WRONG, text, None, todo)
    said = reply.failure.value if reply.failure else str(reply.status)
    return Hop(HopKind.HTTP, Verdict.OK, f"{said} to {reply.location}" if reply.location else said, where)
