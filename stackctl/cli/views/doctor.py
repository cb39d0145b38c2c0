"""``doctor`` as text."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from stackctl.cli.console import plain
from stackctl.diagnose.check import Check, Verdict, found_wrong
from stackctl.usecases.doctor.doctor import DoctorReport
from stackctl.usecases.result import Result

_MARKS = {Verdict.OK: ("✓", "green"), Verdict.WRONG: ("✗", "red"), Verdict.UNKNOWN: ("?", "yellow")}


def show(console: Console, result: Result[DoctorReport]) -> None:
    """One line a check, and then what to do: about what is wrong first, and elsewhere."""
    checks = [check for section in result.payload.sections for check in section.checks]
    width = max((len(check.name) for check in checks), default=0)
    for section in result.payload.sections:
        console.print(Text(section.title, style="bold"))
        for check in section.checks:
            mark, style = _MARKS[check.verdict]
            told = f" {check.name.ljust(width)}  {_about(check, section.title)}"
            console.print(Text.assemble("  ", (mark, style), told), soft_wrap=True)
    plain(console, "")
    wrong = found_wrong(checks)
    todos = list(dict.fromkeys(_todo(check) for check in wrong))
    unknown = [check for check in checks if check.verdict is Verdict.UNKNOWN and check.todo]
    elsewhere = list(dict.fromkeys(_todo(check) for check in unknown))
    if not wrong:
        plain(console, "nothing is wrong")
    for title, lines in (("what to do first:", todos[:1]), ("then:", todos[1:]), ("check elsewhere:", elsewhere)):
        if lines:
            console.print(Text(title, style="bold"))
        for line in lines:
            plain(console, f"  {line}")


def _about(check: Check, title: str) -> str:
    return f"{check.subject}: {check.text}" if check.subject not in {None, title} else check.text


def _todo(check: Check) -> str:
    return f"{check.subject or check.name}: {check.todo}"
