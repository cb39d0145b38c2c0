"""Shows a plan as text: each operation with its cause and its changes to files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from rich.console import Console

from stackctl.cli.console import Part, plain, verbatim
from stackctl.plan.certificates import DeferIssue, Issue, RefuseIssue
from stackctl.plan.diff import FileDiff
from stackctl.plan.operations import ReloadProxy, StartProxy, StartService
from stackctl.usecases.result import Result
from stackctl.wording import listed

_STYLES = {"+": "green", "-": "red", "@": "cyan", "\\": "dim"}
_WORDS = {"new": " (new)", "removed": " (removed)", "changed": ""}


def show_plan(console: Console, result: Result[object]) -> None:
    """Print every operation with its cause and the diffs of its files, then a summary."""
    if result.edited:
        plain(console, "edited since the last change:")
    for diff in result.edited:
        _show_diff(console, diff)
    for number, operation in enumerate(result.plan.operations):
        plain(console, ("would ", "bold"), f"{operation.text}  ", (f"({operation.cause})", "dim"), hang=6)
        for diff in result.diffs[number] if result.diffs else ():
            _show_diff(console, diff)
    if result.plan:
        plain(console, f"summary: {', '.join(_summary(result))}")


def _show_diff(console: Console, diff: FileDiff) -> None:
    lines: list[Part] = [(f"      {line}", _STYLES.get(line[:1], "")) for line in diff.lines]
    verbatim(console, (f"    {diff.path}{_WORDS[diff.status]}", "bold"), *lines)


def _summary(result: Result[object]) -> Iterator[str]:
    """Yield the counts of changed files, certificates, started services and reloads."""
    operations = result.plan.operations
    yield _count(len(operations), "operation")
    files = {diff.path for diffs in result.diffs for diff in diffs}
    if files:
        yield f"{_count(len(files), 'file')} changed"
    requested = [operation.request.lineage for operation in operations if isinstance(operation, Issue)]
    if requested:
        yield f"{_count(len(requested), 'certificate')} to issue ({listed(requested)})"
    deferred = [operation.request.lineage for operation in operations if isinstance(operation, DeferIssue)]
    if deferred:
        yield f"{_count(len(deferred), 'certificate')} deferred ({listed(deferred)})"
    refused = [operation.request.lineage for operation in operations if isinstance(operation, RefuseIssue)]
    if refused:
        yield f"{_count(len(refused), 'certificate')} refused ({listed(refused)})"
    started = [operation.service for operation in operations if isinstance(operation, StartService | StartProxy)]
    if started:
        yield f"{_count(len(started), 'service')} started ({listed(started)})"
    reloads = Counter(type(operation) for operation in operations)[ReloadProxy]
    yield f"the proxy reloaded {_count(reloads, 'time')}" if reloads else "no reload"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def show(console: Console, result: Result[object]) -> None:
    """Print that the plan is empty; a plan itself is printed for every dry run."""
    if not result.plan:
        plain(console, "nothing to do: the stack is up to date")
