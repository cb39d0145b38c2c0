"""One check of ``stackctl doctor``: what was looked at, what it showed, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """How a check ended; ``UNKNOWN`` cannot be checked from here, or not while something else is wrong."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: its own short name, such as ``http-port`` or ``caa``; documented in docs/reference/doctor.md.
        text: what it showed, in one line.
        subject: the domain, service or lineage it is about; None for the host.
        todo: what to do where it is wrong, what to run elsewhere where it is unknown.
    """

    name: str
    verdict: Verdict
    text: str
    subject: str | None = None
    todo: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Checks that a person reads together."""

    title: str
    checks: tuple[Check, ...]


def ok(name: str, text: str, subject: str | None = None) -> Check:
    """A check that holds."""
    return Check(name, Verdict.OK, text, subject)


def wrong(name: str, text: str, todo: str, subject: str | None = None) -> Check:
    """A check that does not hold, and what to do about it."""
    return Check(name, Verdict.WRONG, text, subject, todo)


def unknown(name: str, text: str, todo: str | None = None, subject: str | None = None) -> Check:
    """A check that cannot be made from here, and what to run elsewhere."""
    return Check(name, Verdict.UNKNOWN, text, subject, todo)


def skipped(names: Iterable[str], because: str, subject: str | None = None) -> list[Check]:
    """Checks that were not made, because what they stand on is broken: never wrong themselves."""
    return [unknown(name, f"not looked at: {because}", None, subject) for name in names]


def found_wrong(checks: Sequence[Check], names: Iterable[str] | None = None) -> list[Check]:
    """Those that do not hold, in their order; of ``names`` alone where given."""
    wanted = None if names is None else frozenset(names)
    return [c for c in checks if c.verdict is Verdict.WRONG and (wanted is None or c.name in wanted)]
