"""What a status means: who gave it, and which link of the way it tells of."""

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
class Answered:
    """How a request ended.

    Attributes:
        text: the answer in words.
        at: the link that is broken, or None.
        why: what is wrong there, and ``todo`` what to do about it.
    """

    text: str
    at: HopKind | None = None
    why: str | None = None
    todo: str | None = None

    def link(self, step: HopKind, text: str, where: str | None = None) -> Hop:
        """A link of the way; the broken one says what is wrong."""
        if step is self.at:
            return Hop(step, Verdict.WRONG, text, where, self.todo, self.why)
        return Hop(step, Verdict.OK, text, where)


def judge_answer(  # noqa: PLR0913  (one line for each way to end)
    name: str,
    path: str,
    trace: Trace,
    reply: Reply,
    fresh: Sequence[LoggedError],
    wrong: Check | None,
    advice: Callable[[str], Advice],
) -> Answered:
    """How a request for ``path`` ended.

    ``fresh`` are the proxy's errors about it, and ``wrong`` what is wrong with the app behind the route.
    """
    outcome = trace.action.outcome
    passed = outcome is Outcome.PROXY
    if reply.failure is not None:
        return _unanswered(trace, reply.failure, fresh, wrong)
    status = reply.status or 0
    if 300 <= status < 400:
        return _redirected(name, path, trace, reply)
    if passed and status >= 500:
        return _failed(status, fresh, wrong, advice)
    if passed:
        return Answered(f"{status}{_by_rule(trace, status, fresh)}")
    if status >= 400:
        why = fresh[-1].message if fresh else None
        todo = f"correct {trace.action.place}, then run 'stackctl up'"
        return Answered(f"{status}, by the proxy itself", HopKind.LOCATION, why or f"the proxy answers {status}", todo)
    return Answered(f"{status}, by the proxy itself")


def _unanswered(trace: Trace, failure: Failure, fresh: Sequence[LoggedError], wrong: Check | None) -> Answered:
    if failure in {Failure.CONNECT, Failure.HANDSHAKE}:
        return Answered(f"none: {failure.value}")
    if trace.action.outcome is Outcome.CLOSE:
        todo = f"correct {trace.action.place}, then run 'stackctl up'"
        return Answered(f"none: {failure.value}", HopKind.LOCATION, "it closes the connection", todo)
    if wrong is not None:
        return Answered(f"none: {failure.value}", HopKind.CONTAINER, wrong.text, wrong.todo)
    why = fresh[-1].message if fresh else failure.value
    return Answered(
        f"none: {failure.value}", HopKind.ANSWER, why, "see 'stackctl logs': the app may still be at work on it"
    )


def _redirected(name: str, path: str, trace: Trace, reply: Reply) -> Answered:
    by = "the app" if trace.action.outcome is Outcome.PROXY else "the proxy itself"
    text = f"{reply.status} to {reply.location}, by {by}" + _by_rule(trace, reply.status or 0, ())
    if reply.location is not None and not reply.sets_cookie and _same(reply.location, name, path):
        why = "it redirects to the address it was asked at, without an end"
        todo = "let the app go by X-Forwarded-Proto, and not redirect what has come by https"
        return Answered(text, HopKind.ANSWER, why, todo)
    return Answered(text)


def _same(location: str, name: str, path: str) -> bool:
    """Whether ``location`` is the very address that was asked by https."""
    to = urlsplit(location)
    if to.scheme not in {"", "https"} or (to.hostname or name) != name:
        return False
    return (to.path or "/") + (f"?{to.query}" if to.query else "") == path


def _failed(
    status: int, fresh: Sequence[LoggedError], wrong: Check | None, advice: Callable[[str], Advice]
) -> Answered:
    """A 5xx where the request should have been passed on."""
    if not fresh:
        # The proxy logs each failure of its own: without a line the answer came through it.
        why, todo = f"the app itself answers {status}", "see 'stackctl logs': the way to the app is whole"
        return Answered(f"{status}, by the app", HopKind.ANSWER, why, todo)
    said = fresh[-1]
    advised = advice(said.message)
    if advised.refused:
        return Answered(f"{status}, by the proxy itself", HopKind.LOCATION, said.message, advised.todo)
    if wrong is not None:
        return Answered(f"{status}, by the proxy: {said.message}", HopKind.CONTAINER, wrong.text, wrong.todo)
    return Answered(f"{status}, by the proxy", HopKind.UPSTREAM, said.message, advised.todo)


def _by_rule(trace: Trace, status: int, fresh: Sequence[LoggedError]) -> str:
    """Who gave an answer that may have come before the app was asked."""
    if status not in _ACCESS and not 300 <= status < 400:
        return ", by the app" if not fresh else f", by the proxy itself: {fresh[-1].message}"
    kind = RuleKind.ACCESS if status in _ACCESS else RuleKind.REWRITE
    rules = [rule for rule in trace.rules if rule.kind is kind]
    if fresh:
        return f", by the proxy itself: {fresh[-1].message}"
    shown = "; ".join(f"{rule.text} ({rule.place})" for rule in rules)
    if 300 <= status < 400:
        return f" or by {shown}" if shown else ""
    return f", by {shown}, or by the app" if shown else ", by the app"
