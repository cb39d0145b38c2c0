"""Interpret an HTTP status: which component sent it, and which hop it points to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from stackctl.diagnose.check import Check, Verdict
from stackctl.diagnose.hops import Hop, HopKind
from stackctl.observed.reply import Failure, Reply
from stackctl.proxies.trace import Advice, LoggedError, Outcome, RuleKind, Trace

_ACCESS = {401, 403, 429}


@dataclass(frozen=True, slots=True)
class JudgedAnswer:
    """How a request ended.

    Attributes:
        text: the answer in words.
        at: the hop that fails, or None.
        why: what is wrong there, and ``todo`` what to do about it.
    """

    text: str
    at: HopKind | None = None
    why: str | None = None
    todo: str | None = None

    def hop(self, kind: HopKind, text: str, where: str | None = None) -> Hop:
        """Return a hop of the request; the one that fails says what is wrong."""
        if kind is self.at:
            return Hop(kind, Verdict.WRONG, text, where, self.todo, self.why)
        return Hop(kind, Verdict.OK, text, where)


def judge_answer(  # noqa: PLR0913  (one line for each outcome)
    name: str,
    path: str,
    trace: Trace,
    reply: Reply,
    logged: Sequence[LoggedError],
    fault: Check | None,
    advice: Callable[[str], Advice],
) -> JudgedAnswer:
    """Return how a request for ``path`` ended, and the hop that fails.

    ``logged`` are the proxy's errors about it, and ``fault`` is the failed check of the app behind the route.
    """
    outcome = trace.action.outcome
    passed = outcome is Outcome.PROXY
    if reply.failure is not None:
        return _unanswered(trace, reply.failure, logged, fault)
    status = reply.status or 0
    if 300 <= status < 400:
        return _redirected(name, path, trace, reply)
    if passed and status >= 500:
        return _failed(status, logged, fault, advice)
    if passed:
        return JudgedAnswer(f"{status}{_by_rule(trace, status, logged)}")
    if status >= 400:
        why = logged[-1].message if logged else None
        todo = f"correct {trace.action.place}, then run 'stackctl up'"
        return JudgedAnswer(
            f"{status}, by the proxy itself", HopKind.LOCATION, why or f"the proxy answers {status}", todo
        )
    return JudgedAnswer(f"{status}, by the proxy itself")


def _unanswered(trace: Trace, failure: Failure, logged: Sequence[LoggedError], fault: Check | None) -> JudgedAnswer:
    if failure in {Failure.CONNECT, Failure.HANDSHAKE}:
        return JudgedAnswer(f"none: {failure.value}")
    if trace.action.outcome is Outcome.CLOSE:
        todo = f"correct {trace.action.place}, then run 'stackctl up'"
        return JudgedAnswer(f"none: {failure.value}", HopKind.LOCATION, "it closes the connection", todo)
    if fault is not None:
        return JudgedAnswer(f"none: {failure.value}", HopKind.CONTAINER, fault.text, fault.todo)
    why = logged[-1].message if logged else failure.value
    todo = "see 'stackctl logs': the app may still be processing the request"
    return JudgedAnswer(f"none: {failure.value}", HopKind.ANSWER, why, todo)


def _redirected(name: str, path: str, trace: Trace, reply: Reply) -> JudgedAnswer:
    by = "the app" if trace.action.outcome is Outcome.PROXY else "the proxy itself"
    text = f"{reply.status} to {reply.location}, by {by}" + _by_rule(trace, reply.status or 0, ())
    if reply.location is not None and not reply.sets_cookie and _same(reply.location, name, path):
        why = "redirect loop: the answer redirects to the requested address"
        todo = "configure the app to trust X-Forwarded-Proto, so that it does not redirect HTTPS requests"
        return JudgedAnswer(text, HopKind.ANSWER, why, todo)
    return JudgedAnswer(text)


def _same(location: str, name: str, path: str) -> bool:
    """Whether ``location`` is the address that was requested over HTTPS."""
    to = urlsplit(location)
    if to.scheme not in {"", "https"} or (to.hostname or name) != name:
        return False
    return (to.path or "/") + (f"?{to.query}" if to.query else "") == path


def _failed(
    status: int, logged: Sequence[LoggedError], fault: Check | None, advice: Callable[[str], Advice]
) -> JudgedAnswer:
    """Interpret a 5xx of a route that passes requests on to an app."""
    if not logged:
        # The proxy logs each of its own failures: without a line, the answer came from the app.
        why, todo = f"the app itself answers {status}", "see 'stackctl logs': every hop to the app works"
        return JudgedAnswer(f"{status}, by the app", HopKind.ANSWER, why, todo)
    message = logged[-1].message
    advised = advice(message)
    if advised.refused:
        return JudgedAnswer(f"{status}, by the proxy itself", HopKind.LOCATION, message, advised.todo)
    if fault is not None:
        return JudgedAnswer(f"{status}, by the proxy: {message}", HopKind.CONTAINER, fault.text, fault.todo)
    return JudgedAnswer(f"{status}, by the proxy", HopKind.UPSTREAM, message, advised.todo)


def _by_rule(trace: Trace, status: int, logged: Sequence[LoggedError]) -> str:
    """Return who sent an answer that a rule of the proxy may have sent instead of the app."""
    if status not in _ACCESS and not 300 <= status < 400:
        return ", by the app" if not logged else f", by the proxy itself: {logged[-1].message}"
    kind = RuleKind.ACCESS if status in _ACCESS else RuleKind.REWRITE
    rules = [rule for rule in trace.rules if rule.kind is kind]
    if logged:
        return f", by the proxy itself: {logged[-1].message}"
    listed = "; ".join(f"{rule.text} ({rule.place})" for rule in rules)
    if 300 <= status < 400:
        return f" or by {listed}" if listed else ""
    return f", by {listed}, or by the app" if listed else ", by the app"
