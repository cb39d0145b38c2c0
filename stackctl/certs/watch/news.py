"""What a receiver does not know yet, as one message: nothing is repeated, and nothing that others wrote breaks it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stackctl.certs.watch.judge import Problem

_TITLE, _LINE, _BODY = 120, 300, 3500
"""The most characters of each; ntfy turns more than 4 KB into a file."""

PROBLEM, OVER, TEST = "problem", "over", "test"


class Message(NamedTuple):
    """A message; every part is text without control characters, but for the ends of lines in ``text``."""

    kind: str
    title: str
    text: str


def news(stack: str, sent: Mapping[str, Sequence[str]], problems: Sequence[Problem]) -> Message | None:
    """Return what a receiver does not know yet, or None; ``sent`` are the stages and texts that it was sent last."""
    now = {one.identity: one for one in problems}
    new = [one for one in problems if one.identity not in sent or sent[one.identity][0] != one.stage]
    over = [row[1] for identity, row in sent.items() if identity not in now]
    if not new and not over:
        return None
    lines = [f"- {_about(one)}" for one in new]
    lines += [f"- over: {clean(text, _LINE)}" for text in over]
    head = _head(new, over)
    return Message(PROBLEM if new else OVER, clean(f"{stack}: {head}", _TITLE), _body(lines))


def as_sent(problems: Iterable[Problem]) -> dict[str, list[str]]:
    """Return what a receiver was sent with these problems."""
    return {one.identity: [one.stage, _about(one)] for one in problems}


def check(stack: str) -> Message:
    """Return the message of ``alerts test``."""
    text = "This is a test by 'stackctl alerts test': alerts arrive here."
    return Message(TEST, clean(f"{stack}: test of alerts", _TITLE), text)


def _about(problem: Problem) -> str:
    return clean(f"{problem.name}: {problem.text}" if problem.name else problem.text, _LINE)


def _head(new: Sequence[Problem], over: Sequence[str]) -> str:
    if len(new) == 1:
        return _about(new[0])
    if new:
        return f"{len(new)} problems"
    return f"over: {over[0]}" if len(over) == 1 else f"{len(over)} problems are over"


def _body(lines: Sequence[str]) -> str:
    kept: list[str] = []
    for line in lines:
        if sum(map(len, kept)) + len(line) > _BODY:
            return "\n".join([*kept, f"and {len(lines) - len(kept)} more"])
        kept.append(line)
    return "\n".join(kept)


def clean(text: str, most: int) -> str:
    """Return untrusted text on one line, with a question mark for what is not printable, and at most so long."""
    line = "".join(char if char.isprintable() else "?" for char in text)
    return line if len(line) <= most else f"{line[: most - 1]}…"
