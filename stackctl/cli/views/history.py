"""Shows ``history`` as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.cli.table import table
from stackctl.usecases.history import ChangedFile, EntryReport, HistoryReport
from stackctl.usecases.result import Result
from stackctl.wording import listed, moment, shortened

_TITLES = ("NUMBER", "TIME", "COMMAND", "CHANGES")
_WIDEST = 60
"""The maximum width of a command; JSON contains the full command."""

_KINDS = {
    "found": " (found, not recorded before)",
    "failed": " (the deploy failed)",
    "foreign": " (before stackctl)",
}
_WORDS = {"new": "new", "removed": "removed"}


def show(console: Console, result: Result[HistoryReport]) -> None:
    """Print one row per entry, newest last."""
    entries = result.payload.entries
    if not entries:
        plain(console, "no entries yet: the first change made with stackctl adds one")
        return
    table(console, _TITLES, [_row(entry) for entry in entries])
    plain(console, "roll back with 'stackctl rollback NUMBER'; preview it with 'stackctl rollback NUMBER --dry-run'")


def _row(entry: EntryReport) -> tuple[str, ...]:
    found = _KINDS.get(entry.kind, "")
    files = [_file(file) for file in entry.files]
    command = f"{shortened(entry.command, _WIDEST)}{found}"
    return str(entry.number), moment(entry.at), command, listed(files) or _other(entry.changes)


def _file(file: ChangedFile) -> str:
    return f"{file.path} {_WORDS.get(file.status) or f'+{file.added} -{file.removed}'}"


def _other(changes: Sequence[str]) -> str:
    """Return the first change and the number of others, for an entry without changed files."""
    if not changes:
        return "-"
    return changes[0] if len(changes) == 1 else f"{changes[0]} and {len(changes) - 1} more"
