"""``stackctl history``: lists the recorded states, and what each changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from stackctl.engine.context import Context
from stackctl.plan.diff import FileDiff, file_diff
from stackctl.usecases.converge import open_document
from stackctl.usecases.result import Result
from stackctl.wording import listed


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """The difference between a recorded file and that of the previous entry, in lines."""

    path: str
    status: str
    added: int
    removed: int


@dataclass(frozen=True, slots=True)
class EntryReport:
    """A state that can be rolled back to; the attributes are those of :class:`HistoryEntry`."""

    number: int
    at: datetime
    command: str
    kind: str
    files: tuple[ChangedFile, ...]
    changes: tuple[str, ...]
    generation: str | None
    lineages: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class HistoryReport:
    """The recorded states, oldest first."""

    entries: tuple[EntryReport, ...]


def history(context: Context) -> Result[HistoryReport]:
    """Return every entry, oldest first, with its changes to the files of the previous entry.

    Raises:
        InputError: the directory has no stack.
    """
    entries = context.directory.history.entries()
    if not entries:
        open_document(context)
    rows: list[EntryReport] = []
    before: dict[str, bytes] = {}
    for entry in entries:
        files = context.directory.history.files(entry.number)
        # Of the oldest that is left, nothing says any more what it changed.
        is_known = bool(rows) or entry.number == 1
        rows.append(
            EntryReport(
                number=entry.number,
                at=entry.at.replace(microsecond=0),
                command=entry.command,
                kind=entry.kind,
                files=tuple(_changed(before, files)) if is_known else (),
                changes=entry.changes,
                generation=entry.generation,
                lineages=dict(entry.lineages),
            )
        )
        before = files
    closed = [str(number) for number in context.directory.history.unreadable()]
    note = f"entries of another user, which this one may not read, are left out: {listed(closed)}"
    return Result("history", HistoryReport(tuple(rows)), notes=(note,) if closed else ())


def _changed(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[ChangedFile]:
    for path in sorted({**before, **after}):
        for diff in file_diff(path, before.get(path), after.get(path)):
            yield ChangedFile(diff.path, diff.status, diff.added, diff.removed)


@dataclass(frozen=True, slots=True)
class DifferenceReport:
    """How the files of two recorded states differ; ``before`` is None for the state before the first."""

    before: int | None
    after: int
    files: tuple[FileDiff, ...]


def difference(context: Context, before: int | None, after: int) -> DifferenceReport:
    """Return how the files of two entries differ; secrets in them are left out.

    Raises:
        InputError: there is no such entry.
    """
    history = context.directory.history
    for number in (before, after):
        if number is not None:
            history.entry(number)
    old = {} if before is None else history.files(before)
    new = history.files(after)
    diffs = (diff for path in sorted({**old, **new}) for diff in file_diff(path, old.get(path), new.get(path)))
    return DifferenceReport(before, after, tuple(diffs))
