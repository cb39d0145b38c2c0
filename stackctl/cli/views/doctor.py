"""Shows ``doctor`` as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.diagnose.check import Check, Verdict, found_wrong
from stackctl.usecases.doctor.doctor import DoctorReport
from stackctl.usecases.result import Result

_MARKS = {Verdict.OK: ("✓", "green"), Verdict.WRONG: ("✗", "red"), Verdict.UNKNOWN: ("?", "yellow")}


def show(console: Console, result: Result[DoctorReport]) -> None:
    """Print one line per check, then what to do about each failure."""
    checks = [check for section in result.payload.sections for check in section.checks]
    width = max((len(check.name) for check in checks), default=0)
    for section in result.payload.sections:
        plain(console, (section.title, "bold"))
        for names, check in _gathered(section.checks):
            text = f" {names.ljust(width)}  {_about(check, section.title)}"
            plain(console, "  ", _MARKS[check.verdict], text, hang=width + 6)
    plain(console, "")
    wrong = found_wrong(checks)
    todos = list(dict.fromkeys(_todo(check) for check in wrong))
    unknown = [check for check in checks if check.verdict is Verdict.UNKNOWN and check.todo]
    elsewhere = list(dict.fromkeys(_todo(check) for check in unknown))
    if not wrong:
        plain(console, "no problems found")
    for title, lines in (("what to do first:", todos[:1]), ("then:", todos[1:]), ("check elsewhere:", elsewhere)):
        if lines:
            plain(console, (title, "bold"))
        for line in lines:
            plain(console, f"  {line}")


def _gathered(checks: Sequence[Check]) -> Iterator[tuple[str, Check]]:
    """Return checks with their names; adjacent checks skipped for the same reason are merged."""
    for _, group in groupby(checks, key=lambda check: _reason(check) or check):
        first, *others = group
        yield ", ".join([first.name, *(other.name for other in others)]), first


def _reason(check: Check) -> object:
    skipped = check.verdict is Verdict.UNKNOWN and check.todo is None
    return (check.text, check.subject) if skipped else None


def _about(check: Check, title: str) -> str:
    return f"{check.subject}: {check.text}" if check.subject not in {None, title} else check.text


def _todo(check: Check) -> str:
    return f"{check.subject or check.name}: {check.todo}"
