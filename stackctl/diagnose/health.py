"""Judge what the proxy knows of the servers that it asks, and whether it asks at all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stackctl.diagnose.check import Check, ok, unknown, wrong
from stackctl.proxies.health import ServerHealth
from stackctl.wording import moment

ANSWER, ASKING = "app-answer", "health-checks"

_LATE = timedelta(seconds=60)
"""How late the proxy may be before it counts as not asking: it starts, or its host is busy."""


@dataclass(frozen=True, slots=True)
class AskingFacts:
    """Facts about the proxy's program that asks servers.

    Attributes:
        service: the proxy's service.
        judged: when it last was about to ask; None if it never did in this container.
        started: when that container started; None if it does not run.
        every: the longest interval between two requests.
    """

    service: str
    judged: datetime | None
    started: datetime | None
    every: timedelta
    now: datetime


def described(one: ServerHealth) -> str:
    """Return what is wrong with a server that is down, and since when."""
    at = one.server if one.address is None or str(one.address) == one.server else f"{one.address} ({one.server})"
    since = moment(one.since)
    if one.left_out:
        return f"{at} gets no requests since {since}: {one.reason}"
    return f"{at} is down since {since}, but not left out: {one.reason}"


def judge_answers(subject: str, where: str, asked: Sequence[ServerHealth]) -> Iterator[Check]:
    """Yield a check for each server that is down, or one if none is."""
    down = [one for one in asked if not one.up]
    for one in down:
        todo = f"see 'stackctl logs {subject}'; if the server is well, correct 'health' at {where}"
        yield wrong(ANSWER, described(one), todo, subject)
    if asked and not down:
        count = f"all {len(asked)} servers answer" if len(asked) > 1 else f"{asked[0].server} answers"
        yield ok(ANSWER, f"{count} the proxy's health checks", subject)


def judge_asking(facts: AskingFacts) -> Check:
    """Return the check of whether servers are asked."""
    if facts.started is None:
        return unknown(ASKING, f"{facts.service} is not running", subject=facts.service)
    late = facts.now - (facts.judged or facts.started) > facts.every + _LATE
    if facts.judged is None and not late:
        return unknown(ASKING, f"{facts.service} has just started", "check again in a moment", facts.service)
    if facts.judged is None or late:
        last = f"last at {moment(facts.judged)}" if facts.judged else "and never did since its container was created"
        todo = f"run 'stackctl up', which updates its service; 'docker compose logs {facts.service}' shows why not"
        return wrong(ASKING, f"{facts.service} does not ask the servers, {last}", todo, facts.service)
    return ok(ASKING, f"{facts.service} asks the servers, last at {moment(facts.judged)}", facts.service)
