"""Check that the renewal loop runs on time, and that its last round renewed what was due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from stackctl.certs.loop import Failure
from stackctl.diagnose.check import Check, ok, skipped, unknown, wrong
from stackctl.model.layout import site_of_file
from stackctl.times import believable
from stackctl.wording import listed, moment

LOOP, ROUND = "renewal-loop", "renewal-round"

_SLACK = timedelta(hours=1)
"""How long one round of the loop may take."""

_GRAIN = timedelta(seconds=2)
"""The stamps have a resolution of whole seconds."""


@dataclass(frozen=True, slots=True)
class LoopFacts:
    """Facts about the renewal loop of the certbot container.

    Attributes:
        service: the service's name.
        state: the container's state in Docker; None without a container.
        started: when it was started.
        checked: when the last round ended; None if none did.
        interval: how long it waits between two rounds.
        succeeded: when a round last succeeded; None if none did, or if the loop is of a version without that stamp.
        failure: the last round, if it failed.
        digests: the current SHA-256 of ``cert.pem`` of each certificate that ``failure`` names.
        states: the current digest of what certbot reads of each of them, and under an empty name for all.
        used: the certificates that sites use.
    """

    service: str
    state: str | None
    started: datetime | None
    checked: datetime | None
    interval: timedelta
    now: datetime
    succeeded: datetime | None = None
    failure: Failure | None = None
    digests: Mapping[str, str] = field(default_factory=dict)
    used: frozenset[str] = frozenset()
    states: Mapping[str, str] = field(default_factory=dict)

    def believed(self, at: datetime | None) -> datetime | None:
        """Return a recorded time, or None if it is in the future: the clock that recorded it was wrong."""
        return at if at is not None and believable(at, self.now) else None

    @property
    def in_first_round(self) -> bool:
        """Whether the container was started a short time ago, and has ended no round since."""
        started, checked = self.believed(self.started), self.believed(self.checked)
        if started is None or (checked is not None and checked >= started - _GRAIN):
            return False
        return self.now - started <= _SLACK

    @property
    def failing(self) -> dict[str, str]:
        """What certbot says of each certificate that the last round could not renew, and that is still the same.

        Under an empty name it is the reason of a round that failed as a whole.
        """
        return {name: words for name, words in self._failed.items() if not self._is_mended(name)}

    @property
    def mended(self) -> tuple[str, ...]:
        """The certificates that are not renewed either, but whose files or settings were changed since."""
        return tuple(name for name in self._failed if self._is_mended(name))

    @property
    def _failed(self) -> dict[str, str]:
        failure = self.failure
        if failure is None:
            return {}
        if not failure.lineages:
            return {"": failure.problem}
        same = (name for name, digest in failure.lineages.items() if self.digests.get(name) == digest)
        return {name: failure.words.get(name, failure.problem) for name in same}

    def _is_mended(self, name: str) -> bool:
        recorded = self.failure.states.get(name) if self.failure else None
        return recorded is not None and recorded != self.states.get(name)


def judge_loop(facts: LoopFacts) -> list[Check]:
    """Check that the loop runs on time, and what its last round did."""
    if facts.state != "running":
        start = f"run 'docker compose up -d {facts.service}'"
        state = f"its container is {facts.state}" if facts.state else "it has no container"
        turns = wrong(LOOP, f"nothing renews certificates: {state}", start, facts.service)
        return [turns, *skipped([ROUND], state, facts.service)]
    return [_turns(facts), _result(facts)]


def _turns(facts: LoopFacts) -> Check:
    started, checked = facts.believed(facts.started), facts.believed(facts.checked)
    if facts.in_first_round:
        return ok(LOOP, f"started {_ago(facts.now - (started or facts.now))}, in its first run", facts.service)
    if checked is not None and (started is None or checked >= started - _GRAIN):
        age = facts.now - checked
        if age <= facts.interval + _SLACK:
            return ok(LOOP, f"its last run was {_ago(age)}, it runs every {_span(facts.interval)}", facts.service)
    last = f"its last run was {_ago(facts.now - checked)}" if checked else "it has never run"
    if facts.checked is not None and checked is None:
        last = "its last run is dated in the future, so a clock was wrong"
    todo = f"run 'docker compose restart {facts.service}', and see 'docker compose logs {facts.service}'"
    return wrong(LOOP, f"the renewal loop is overdue: {last}", todo, facts.service)


def _result(facts: LoopFacts) -> Check:
    again = f"then run 'docker compose restart {facts.service}', which tries again at once"
    logs = f"see 'docker compose logs {facts.service}', correct the cause, {again}"
    failing = facts.failing
    if failing and facts.in_first_round:
        return unknown(ROUND, "the round before the last start failed, and this one has not ended", None, facts.service)
    since = _since(facts)
    if "" in failing:
        return wrong(ROUND, f"the last round failed{since}: {failing['']}", logs, facts.service)
    if failing:
        # The first with its reason; the others mostly have the same one.
        first, *more = failing
        others = f"; also {listed([*map(site_of_file, more)])}" if more else ""
        text = f"the last round could not renew {site_of_file(first)}{since}: {failing[first]}{others}"
        unused = [name for name in failing if name not in facts.used]
        if len(unused) == len(failing):
            todo = f"no app uses it: 'docker compose exec {facts.service} certbot delete --cert-name {first}', {again}"
            return wrong(ROUND, text, todo, facts.service)
        return wrong(ROUND, text, f"correct the cause, {again}", facts.service)
    checked, succeeded = facts.believed(facts.checked), facts.believed(facts.succeeded)
    if facts.failure is None and checked and succeeded and checked > succeeded + _GRAIN:
        return wrong(ROUND, f"the last round failed{since}, and could not record why", logs, facts.service)
    return _mended(facts) or ok(ROUND, "the last round renewed what was due", facts.service)


def _mended(facts: LoopFacts) -> Check | None:
    if not facts.mended:
        return None
    failed = "the last round failed, and certbot's cli.ini was changed since"
    if names := [site_of_file(name) for name in facts.mended if name]:
        failed = f"the last round could not renew {listed(names)}, whose files were changed since"
    return unknown(ROUND, f"{failed}; the next one tries again", None, facts.service)


def _since(facts: LoopFacts) -> str:
    succeeded = facts.believed(facts.succeeded)
    return f" (last success: {moment(succeeded)})" if succeeded else ""


def _ago(span: timedelta) -> str:
    return f"{_span(span)} ago" if span >= timedelta(minutes=1) else "just now"


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    hours, minutes = divmod(seconds // 60, 60)
    if hours >= 48:
        return f"{hours // 24} days"
    if hours:
        return f"{hours} h"
    return f"{minutes} min" if minutes else f"{seconds} s"
