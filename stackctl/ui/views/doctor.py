"""What the page Doctor shows: what to do first, what then, and every check."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from stackctl.diagnose.check import Check, Section, Verdict, found_wrong

_COMMAND = re.compile(r"'stackctl ([^']+)'")


@dataclass(frozen=True, slots=True)
class Todo:
    """One thing to do.

    Attributes:
        about: the subject of the check, or its name.
        text: what is wrong, and ``todo`` what to do about it.
        command: the words of the command in it that the page can run; None if there is none.
    """

    about: str
    text: str
    todo: str
    command: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """The checks of one section, and how many are wrong."""

    title: str
    checks: tuple[Check, ...]
    wrong: int
    unknown: int


def todos(sections: Sequence[Section], known: Sequence[tuple[str, ...]] = ()) -> tuple[Todo, ...]:
    """Return what to do, the first first; each advice once. ``known`` are beginnings of commands that the page runs."""
    checks = found_wrong([check for section in sections for check in section.checks])
    return _once(_todo(check, known) for check in checks)


def elsewhere(sections: Sequence[Section]) -> tuple[Todo, ...]:
    """Return what cannot be checked from here, and what to run elsewhere."""
    checks = [check for section in sections for check in section.checks]
    return _once(_todo(check, ()) for check in checks if check.verdict is Verdict.UNKNOWN and check.todo)


def examined(sections: Sequence[Section]) -> tuple[Examined, ...]:
    """Return the sections, those with something wrong first."""
    found = [
        Examined(
            section.title,
            section.checks,
            len(found_wrong(section.checks)),
            sum(check.verdict is Verdict.UNKNOWN for check in section.checks),
        )
        for section in sections
    ]
    return tuple(sorted(found, key=lambda one: not one.wrong))


def passed(sections: Sequence[Section]) -> int:
    """Return how many checks found nothing wrong."""
    return sum(check.verdict is Verdict.OK for section in sections for check in section.checks)


def commands_in(text: str) -> Iterator[tuple[str, ...]]:
    """Yield the commands that an advice names, without ``stackctl``."""
    for found in _COMMAND.findall(text):
        try:
            yield tuple(shlex.split(found))
        except ValueError:  # an ellipsis, or a quotation mark inside
            continue


def _todo(check: Check, known: Sequence[tuple[str, ...]]) -> Todo:
    todo = check.todo or ""
    named = (words for words in commands_in(todo) if any(words[: len(one)] == one for one in known))
    return Todo(check.subject or check.name, check.text, todo, next(named, None))


def _once(found: Iterable[Todo]) -> tuple[Todo, ...]:
    return tuple({(one.about, one.todo): one for one in found}.values())
