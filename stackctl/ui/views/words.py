"""States in plain words, each with the tone that its mark has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from stackctl.diagnose.check import Verdict


class Tone(StrEnum):
    """How a state is marked: by colour, and by a sign for those who do not see it."""

    OK = "ok"
    WARN = "warn"
    BAD = "bad"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Badge:
    """A state: its tone, and its words."""

    tone: Tone
    text: str


_SOON_DAYS = 14
"""From when on a certificate that is not renewed yet is worth a look."""

_VERDICTS = {
    Verdict.OK: Badge(Tone.OK, "Fine"),
    Verdict.WRONG: Badge(Tone.BAD, "Wrong"),
    Verdict.UNKNOWN: Badge(Tone.QUIET, "Not known"),
}


def badge(verdict: Verdict) -> Badge:
    """Return the badge of a verdict."""
    return _VERDICTS[verdict]


def count(number: int, word: str) -> str:
    """Return a number with its word: ``1 site``, ``2 sites``."""
    return f"{number:,} {word}{'' if number == 1 else 's'}"


def days(left: int) -> str:
    """Return how long something is valid: ``89 days left``."""
    if left < 0:
        return f"expired {count(-left, 'day')} ago"
    return "expires today" if left == 0 else f"{count(left, 'day')} left"


def is_soon(left: int) -> bool:
    """Return whether a certificate with so many days left expires soon."""
    return left < _SOON_DAYS


def certificate_badge(problem: str | None, left: int | None, *, with_problem: Tone) -> Badge:
    """Return the badge of a certificate: its problem with the tone that this has, or how long it is valid."""
    if problem:
        return Badge(with_problem, problem)
    if left is None:
        return Badge(Tone.QUIET, "None yet")
    return Badge(Tone.BAD if left <= 0 else Tone.WARN if is_soon(left) else Tone.OK, days(left))
