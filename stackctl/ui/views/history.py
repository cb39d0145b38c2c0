"""What the page Changes shows: the recorded states, the newest first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from stackctl.ui.views.words import Badge, Tone, count
from stackctl.usecases.history import ChangedFile, EntryReport

_KINDS = {
    "found": Badge(Tone.WARN, "Found: edited by hand or interrupted"),
    "failed": Badge(Tone.BAD, "The deploy failed"),
    "foreign": Badge(Tone.QUIET, "Before stackctl"),
}


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A recorded state.

    Attributes:
        ago: when it was, in words.
        command: that led to it; ``from_page`` says whether a button of the page ran it.
        kind: None for an ordinary change.
        before: the number of the state before it; None if nothing says what it changed.
        is_last: whether it is the newest.
    """

    number: int
    at: datetime
    ago: str
    command: str
    from_page: bool
    kind: Badge | None
    files: tuple[ChangedFile, ...]
    changes: tuple[str, ...]
    before: int | None
    is_last: bool


def rows(entries: Sequence[EntryReport], now: datetime, mark: str) -> list[ChangeRow]:
    """Return a row for each entry, the newest first; ``mark`` ends the command of a change from the page."""
    numbers = [entry.number for entry in entries]
    return [
        ChangeRow(
            number=entry.number,
            at=entry.at,
            ago=ago(now - entry.at),
            command=entry.command.removesuffix(mark).rstrip(),
            from_page=entry.command.endswith(mark),
            kind=_KINDS.get(entry.kind),
            files=entry.files,
            changes=entry.changes,
            before=numbers[at - 1] if at else None,
            is_last=at == len(entries) - 1,
        )
        for at, entry in reversed(list(enumerate(entries)))
    ]


def ago(passed: timedelta) -> str:
    """Return how long ago something was, in words: ``5 minutes ago``."""
    seconds = int(passed.total_seconds())
    for word, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{count(seconds // length, word)} ago"
    return "just now"
