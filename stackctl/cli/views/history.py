"""``history`` as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.cli.table import table
from stackctl.usecases.history import ChangedFile, EntryReport, HistoryReport
from stackctl.usecases.result import Result
from stackctl.wording import listed, moment, shortened

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
    table(console, _TITLES, [_row(entry) for entry in entries])
    plain(console, "go back with 'stackctl rollback NUMBER'; 'stackctl rollback NUMBER --dry-run' shows what that does")


def _row(entry: EntryReport) -> tuple[str, ...]:
    found = {"found": " (found, not recorded before)", "foreign": " (before stackctl)"}.get(entry.kind, "")
    files = [_file(file) for file in entry.files]
    command = f"{shortened(entry.command, _WIDEST)}{found}"
    return str(entry.number), moment(entry.at), command, listed(files) or _other(entry.changes)


def _file(file: ChangedFile) -> str:
    return f"{file.path} {_WORDS.get(file.status) or f'+{file.added} -{file.removed}'}"


def _other(changes: Sequence[str]) -> str:
    """Where no file of a person's changed: what was done first, and how much more."""
    if not changes:
        return "-"
    return changes[0] if len(changes) == 1 else f"{changes[0]} and {len(changes) - 1} more"
