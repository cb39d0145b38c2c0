"""One check of ``stackctl doctor``: its name, its result, and what to do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """The result of a check; ``UNKNOWN`` where it cannot be made from here, or depends on one that failed."""

    OK = "ok"
    WRONG = "wrong"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: a short name such as ``http-port`` or ``caa``; documented in docs/reference/doctor.md.
        text: the finding, in one line.
        subject: the domain, service or lineage that was checked; None for the host.
        todo: what to do if it is wrong, or what to run elsewhere if it is unknown.
    """

    name: str
    verdict: Verdict
    text: str
    subject: str | None = None
    todo: str | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """Checks that are shown under one title."""

    title: str
    checks: tuple[Check, ...]


def ok(name: str, text: str, subject: str | None = None) -> Check:
    """Return a check that passed."""
    return Check(name, Verdict.OK, text, subject)


def wrong(name: str, text: str, todo: str, subject: str | None = None) -> Check:
    """Return a check that failed, and what to do about it."""
    return Check(name, Verdict.WRONG, text, subject, todo)


def unknown(name: str, text: str, todo: str | None = None, subject: str | None = None) -> Check:
    """Return a check that cannot be made from here, and what to run elsewhere."""
    return Check(name, Verdict.UNKNOWN, text, subject, todo)


def skipped(names: Iterable[str], because: str, subject: str | None = None) -> list[Check]:
    """Return checks that were not made, because one that they depend on failed."""
    return [unknown(name, f"not checked: {because}", None, subject) for name in names]


def found_wrong(checks: Sequence[Check], names: Iterable[str] | None = None) -> list[Check]:
    """Return the checks that failed, in their order; only those with one of ``names``, if given."""
    wanted = None if names is None else frozenset(names)
    return [c for c in checks if c.verdict is Verdict.WRONG and (wanted is None or c.name in wanted)]
