"""A plan as text: what would be done and why, and under it how the files would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Console

from stackctl.cli.console import Part, plain, verbatim
from stackctl.plan.diff import FileDiff
from stackctl.plan.operations import DeferIssue, Issue, ReloadProxy, StartProxy, StartService
from stackctl.usecases.result import Result
from stackctl.wording import listed

_STYLES = {"+": "green", "-": "red", "@": "cyan", "\\": "dim"}
_WORDS = {"new": " (new)", "removed": " (removed)", "changed": ""}


def show_plan(console: Console, result: Result[object]) -> None:
    """Every operation with its cause; under it the difference of each file it changes, and at the end a summary."""
    if result.edited:
        plain(console, "edited since the last change:")
    for diff in result.edited:
        _show_diff(console, diff)
    for number, operation in enumerate(result.plan.operations):
        plain(console, ("would ", "bold"), f"{operation.text}  ", (f"({operation.cause})", "dim"), hang=6)
        for diff in result.diffs[number] if result.diffs else ():
            _show_diff(console, diff)
    if result.plan:
        plain(console, f"in all: {', '.join(_summary(result))}")


def _show_diff(console: Console, diff: FileDiff) -> None:
    lines: list[Part] = [(f"      {line}", _STYLES.get(line[:1], "")) for line in diff.lines]
    verbatim(console, (f"    {diff.path}{_WORDS[diff.status]}", "bold"), *lines)


def _summary(result: Result[object]) -> Iterator[str]:
    """What a person asks first: how many files, which certificates, what is started and reloaded."""
    operations = result.plan.operations
    yield _count(len(operations), "operation")
    files = {diff.path for diffs in result.diffs for diff in diffs}
    if files:
        yield f"{_count(len(files), 'file')} changed"
    asked = [operation.request.lineage for operation in operations if isinstance(operation, Issue)]
    if asked:
        yield f"{_count(len(asked), 'certificate')} asked for ({listed(asked)})"
    held = [operation.request.lineage for operation in operations if isinstance(operation, DeferIssue)]
    if held:
        yield f"{_count(len(held), 'certificate')} held back ({listed(held)})"
    started = [operation.service for operation in operations if isinstance(operation, StartService | StartProxy)]
    if started:
        yield f"{_count(len(started), 'service')} started ({listed(started)})"
    reloads = Counter(type(operation) for operation in operations)[ReloadProxy]
    yield f"the proxy reloaded {_count(reloads, 'time')}" if reloads else "no reload"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def show(console: Console, result: Result[object]) -> None:
    """The plan itself is shown as for every dry run; left is what to say where there is none."""
    if not result.plan:
        plain(console, "nothing to do: everything is as it should be")
