"""``history`` as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.usecases.history import ChangedFile, EntryReport, HistoryReport
from stackctl.usecases.result import Result

_TITLES = ("NUMBER", "WHEN", "COMMAND", "WHAT CHANGED")
_WIDEST = 60
"""Of a command; JSON has the whole of it."""

_WORDS = {"new": "new", "removed": "removed"}


def show(console: Console, result: Result[HistoryReport]) -> None:
    """One row for each entry, the newest last."""
    entries = result.payload.entries
    if not entries:
        plain(console, "no entry yet: it begins with the first change that is made here")
        return
    rows = [_TITLES, *(_row(entry) for entry in entries)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES) - 1)]
    for row in rows:
        plain(console, "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]))
    plain(console, "go back with 'stackctl rollback NUMBER'; 'stackctl rollback NUMBER --dry-run' shows what that does")


def _row(entry: EntryReport) -> tuple[str, ...]:
    when = f"{entry.at:%Y-%m-%d %H:%M %Z}"
    found = {"found": " (found, not recorded before)", "foreign": " (before stackctl)"}.get(entry.kind, "")
    files = [_file(file) for file in entry.files]
    command = entry.command if len(entry.command) <= _WIDEST else f"{entry.command[: _WIDEST - 1]}…"
    return str(entry.number), when, f"{command}{found}", ", ".join(files) or _other(entry.changes)


def _file(file: ChangedFile) -> str:
    return f"{file.path} {_WORDS.get(file.status) or f'+{file.added} -{file.removed}'}"


def _other(changes: Sequence[str]) -> str:
    """Where no file of a person's changed: what was done first, and how much more."""
    if not changes:
        return "-"
    return changes[0] if len(changes) == 1 else f"{changes[0]} and {len(changes) - 1} more"
