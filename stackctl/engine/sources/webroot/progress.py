"""How far a batch of certificates is: counts, and an estimate once there is something to go by."""

from __future__ import annotations

from datetime import datetime

_UNDER_WAY = ("started", "ordered", "challenged")
_DONE = ("issued", "unchanged")


class Progress:
    """Counts of one batch, by the issuer's events.

    Args:
        total: how many certificates are asked for.
        at_once: how many of them at the same time.
        started: when the batch was begun.
    """

    def __init__(self, total: int, at_once: int, started: datetime) -> None:
        self._total, self._at_once, self._started = total, at_once, started
        self._state: dict[str, str] = {}

    def take(self, event: str, lineage: str) -> bool:
        """Count an event; whether it changed anything a person would see."""
        known = event in {*_UNDER_WAY, *_DONE, "failed"}
        before = self._state.get(lineage)
        if known:
            self._state[lineage] = event
        return known and before != event

    def text(self, now: datetime) -> str:
        """Where it stands, such as ``issuing 37/100, 2 failed, 16 under way, about 8 s left``."""
        states = list(self._state.values())
        done, failed = sum(states.count(event) for event in _DONE), states.count("failed")
        words = [f"issuing {done}/{self._total}"]
        words += [f"{failed} failed"] if failed else []
        under_way = sum(states.count(event) for event in _UNDER_WAY)
        words += [f"{under_way} under way"] if under_way else []
        left = self._seconds_left(done + failed, (now - self._started).total_seconds())
        words += [f"about {_rounded(left)} left"] if left is not None else []
        return ", ".join(words)

    def _seconds_left(self, ended: int, elapsed: float) -> float | None:
        """By the pace so far; None before as many have ended as go at once: the first come all together."""
        if ended < self._at_once or ended >= self._total:
            return None
        return elapsed / ended * (self._total - ended)


def _rounded(seconds: float) -> str:
    """No more exact than it is known."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 90:
        return f"{round(seconds / 5) * 5} s"
    return f"{round(seconds / 60)} min"
