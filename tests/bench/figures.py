"""The result of a family: the measured values, and the goals compared with them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

TIMES = "\N{MULTIPLICATION SIGN}"


@dataclass(frozen=True)
class Measured:
    """One figure, measured once or several times."""

    what: str
    subject: str
    unit: str
    values: tuple[float, ...]
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.values)


@dataclass(frozen=True)
class Judged:
    """A goal, the value compared with it, and whether it is reached."""

    what: str
    goal: str
    value: float
    unit: str
    reached: bool


@dataclass
class Report:
    """The result of one family."""

    family: str
    title: str
    measured: list[Measured] = field(default_factory=list)
    judged: list[Judged] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    seconds: float = 0.0
    error: str = ""

    def add(self, what: str, subject: str, unit: str, values: Sequence[float], note: str = "") -> Measured:
        measured = Measured(what, subject, unit, tuple(values), note)
        self.measured.append(measured)
        return measured

    def note(self, text: str) -> None:
        """Add a note that is needed to interpret the figures."""
        self.notes.append(text)

    def at_most(self, ours: Measured, factor: float, theirs: Measured) -> None:
        """Add the goal that ours is at most ``factor`` times theirs."""
        self._ratio(ours, theirs, f"≤ {factor:g} {TIMES} {theirs.subject}", ours.median / theirs.median <= factor)

    def at_least(self, ours: Measured, factor: float, theirs: Measured) -> None:
        """Add the goal that ours is at least ``factor`` times theirs."""
        self._ratio(ours, theirs, f"≥ {factor:g} {TIMES} {theirs.subject}", ours.median / theirs.median >= factor)

    def _ratio(self, ours: Measured, theirs: Measured, goal: str, reached: bool) -> None:
        self.judged.append(Judged(ours.what, goal, ours.median / theirs.median, TIMES, reached))

    def within(self, ours: Measured, limit: float) -> None:
        """Add the goal that the median is at most ``limit``."""
        self.judged.append(Judged(ours.what, f"≤ {limit:g} {ours.unit}", ours.median, ours.unit, ours.median <= limit))

    def none(self, ours: Measured, of: str) -> None:
        """Add the goal that the sum of all runs is 0."""
        total = sum(ours.values)
        self.judged.append(Judged(f"{ours.what}, {of}", f"0 {ours.unit}", total, ours.unit, total == 0))

    def enough(self, what: str, least: float, value: float, unit: str) -> None:
        """Add the goal that ``value`` is at least so much."""
        self.judged.append(Judged(what, f"≥ {least:,g} {unit}", value, unit, value >= least))
