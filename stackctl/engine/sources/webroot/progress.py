"""Progress of a batch of certificates: counts, and an estimate as soon as there is a basis for one."""

from __future__ import annotations

from datetime import datetime

_RUNNING = ("started", "ordered", "challenged")
_DONE = ("issued", "unchanged")


class Progress:
    """Counts one batch by the issuer's events.

    Args:
        total: how many certificates are requested.
        at_once: how many of them in parallel.
        started: when the batch started.
    """

    def __init__(self, total: int, at_once: int, started: datetime) -> None:
        self._total, self._at_once, self._started = total, at_once, started
        self._state: dict[str, str] = {}

    def take(self, event: str, lineage: str) -> bool:
        """Count an event, and return whether it changes the text."""
        known = event in {*_RUNNING, *_DONE, "failed"}
        before = self._state.get(lineage)
        if known:
            self._state[lineage] = event
        return known and before != event

    def text(self, now: datetime) -> str:
        """Return the progress, such as ``issuing 37/100, 2 failed, 16 running, about 8 s left``."""
        states = list(self._state.values())
        done, failed = sum(states.count(event) for event in _DONE), states.count("failed")
        words = [f"issuing {done}/{self._total}"]
        words += [f"{failed} failed"] if failed else []
        running = sum(states.count(event) for event in _RUNNING)
        words += [f"{running} running"] if running else []
        left = self._seconds_left(done + failed, (now - self._started).total_seconds())
        words += [f"about {_rounded(left)} left"] if left is not None else []
        return ", ".join(words)

    def _seconds_left(self, ended: int, elapsed: float) -> float | None:
        """Estimate by the rate so far; None until a whole parallel group has ended, as the first end together."""
        if ended < self._at_once or ended >= self._total:
            return None
        return elapsed / ended * (self._total - ended)


def _rounded(seconds: float) -> str:
    """Format seconds no more precisely than the estimate is."""
    if seconds < 10:
        return f"{max(1, round(seconds))} s"
    if seconds < 90:
        return f"{round(seconds / 5) * 5} s"
    return f"{round(seconds / 60)} min"
