"""Check that alerts are sent: something looks at the stack without stackctl, and receivers take its messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stackctl.diagnose.check import Check, ok, unknown, wrong
from stackctl.times import believable
from stackctl.wording import moment, span

ALERTS, RECEIVER = "alerts", "alert-receiver"

_OFTEN = timedelta(minutes=30)
"""A look takes place every five minutes, and after each round of the renewal loop, which may take its time."""


@dataclass(frozen=True, slots=True)
class FailingReceiver:
    """A receiver that did not take the last message; its label holds no credentials."""

    label: str
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """Facts about alerts.

    Attributes:
        service: the service of the certbot container.
        started: when its container was started; None if that is not known.
        looked: when the last look ended; None if none did, or this user may not see it.
        mounted: whether the service has the mounts that a look needs.
    """

    service: str
    receivers: int
    started: datetime | None
    looked: datetime | None
    failing: Sequence[FailingReceiver]
    mounted: bool
    now: datetime


def judge_alerts(facts: AlertFacts) -> Iterator[Check]:
    """Yield whether somebody looks, and one check for each receiver that does not answer."""
    yield _looks(facts)
    for one in facts.failing:
        text = f"{one.label} does not take messages since {moment(one.since)}: {one.reason}"
        yield wrong(RECEIVER, text, "correct 'alerts' or the receiver, then run 'stackctl alerts test'", facts.service)


def _looks(facts: AlertFacts) -> Check:
    if not facts.mounted:
        text = f"nothing sends alerts: the service {facts.service} was edited, and lacks the mounts for it"
        return wrong(ALERTS, text, "see 'From a file' in docs/how-to/prometheus.md for the mounts", facts.service)
    looked = facts.looked if facts.looked and believable(facts.looked, facts.now) else None
    if looked is not None and facts.now - looked <= _OFTEN:
        ago = span(int((facts.now - looked).total_seconds()))
        return ok(ALERTS, f"the last look was {ago} ago, for {facts.receivers} receivers", facts.service)
    if facts.started is not None and facts.now - facts.started <= _OFTEN:
        return unknown(ALERTS, "nothing looked at the stack since its start", None, facts.service)
    last = f"the last look was {moment(looked)}" if looked else "nothing has looked at the stack"
    todo = f"see 'docker compose logs {facts.service}', then run 'docker compose restart {facts.service}'"
    return wrong(ALERTS, f"no alert is sent: {last}", todo, facts.service)
