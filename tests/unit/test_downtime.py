"""The printed downtime is never shorter than the time in which a visitor got no answer."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace

import pytest

from stackctl.engine import downtime
from stackctl.engine.downtime import DowntimeMeter

pytestmark = pytest.mark.slow


class Clock:
    """Answers as it is told, each after some seconds; time passes only meanwhile."""

    def __init__(self, *polls: tuple[bool, float]) -> None:
        self.now = 100.0
        self._polls: Iterator[tuple[bool, float]] = iter(polls)

    def answers(self) -> bool:
        good, seconds = next(self._polls)
        self.now += seconds
        return good


YES, NO = (True, 0.125), (False, 0.25)
BUSY, SLOW = (True, 0.875), (True, 1.125)


@pytest.mark.parametrize(
    ("polls", "milliseconds"),
    [
        ([YES, YES, YES], 0),
        ([NO, NO, YES, YES], None),  # it did not run before
        ([YES, NO, NO, YES, YES], 750),
        ([YES, NO, YES, NO, NO, YES], 500 + 750),
        ([YES, BUSY, BUSY], 0),
        ([YES, SLOW], 1250),  # the port was open, but who would answer was not there
        ([YES, NO, NO], 0),  # it has not ended: finish() waits for it
    ],
)
def test_each_gap_counts_from_the_last_answer_to_the_next(
    monkeypatch: pytest.MonkeyPatch, polls: list[tuple[bool, float]], milliseconds: int | None
) -> None:
    clock = Clock(*polls)
    monkeypatch.setattr(downtime, "time", SimpleNamespace(monotonic=lambda: clock.now))
    monkeypatch.setattr(DowntimeMeter, "start", lambda _self: None)
    with DowntimeMeter(clock.answers) as meter:
        for _ in polls[1:] if polls[0][0] else ():
            meter._poll()
        assert meter.milliseconds == milliseconds


def test_a_gap_at_the_end_is_waited_for() -> None:
    answers = iter([True])
    asked = 0

    def down_for_a_while() -> bool:
        nonlocal asked
        asked += 1
        return next(answers, asked > 20)

    with DowntimeMeter(down_for_a_while) as meter:
        pass
    assert meter.milliseconds
    assert asked > 20


def test_one_that_does_not_end_counts_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downtime, "LAST_SECONDS", 0.1)
    answers = iter([True])
    with DowntimeMeter(lambda: next(answers, False)) as meter:
        pass
    assert meter.milliseconds is not None
    assert meter.milliseconds >= 100
