"""Prints every text without markup, emoji codes or terminal control characters."""

from __future__ import annotations

import json
import logging

import typer
from rich.console import Console
from rich.segment import Segment, Segments
from rich.style import Style
from rich.text import Text

from stackctl.wording import printable

Part = str | tuple[str, str]
"""A text, or a text and its style."""


def make_console(*, stderr: bool = False) -> Console:
    """Return a console that does not wrap output when it is not a terminal."""
    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if console.is_terminal:
        return console
    return Console(stderr=stderr, markup=False, emoji=False, highlight=False, width=200)


def styled(*parts: Part) -> Text:
    """Return ``parts`` as one text that is safe to print."""
    text = Text()
    for part in parts:
        words, style = part if isinstance(part, tuple) else (part, "")
        text.append(printable(words), style)
    return text


def verbatim(console: Console, *lines: Part) -> None:
    """Print lines of a file, a log or a diff unchanged, however narrow the terminal is."""
    # One print call for all: a thousand new sites are forty thousand lines, and each call has its cost.
    parts = [line if isinstance(line, tuple) else (line, "") for line in lines]
    segments = [Segment(f"{printable(text)}\n", Style.parse(style) if style else None) for text, style in parts]
    console.print(Segments(segments), end="", soft_wrap=True)


def plain(console: Console, *parts: Part, hang: int | None = None) -> None:
    """Print lines, wrapped between words on a terminal.

    Args:
        console: where to print.
        parts: the parts of the text, in order.
        hang: the indentation of wrapped lines; by default two columns more than the first line.
    """
    text = styled(*parts)
    if not console.is_terminal:
        console.print(text, soft_wrap=True)
        return
    for line in text.split("\n", allow_blank=True):
        console.print(_folded(console, line, hang), soft_wrap=True)


def print_json(shown: object) -> None:
    """Print a value as JSON on standard output; non-ASCII characters are escaped."""
    typer.echo(json.dumps(shown, indent=2))


class SafeFormatter(logging.Formatter):
    """Formats the commands that ``--verbose`` logs."""

    def format(self, record: logging.LogRecord) -> str:
        """See :meth:`logging.Formatter.format`."""
        return printable(super().format(record))


def _folded(console: Console, line: Text, hang: int | None) -> Text:
    """Wrap a line between words; split only a word that is wider than the terminal."""
    if line.cell_len <= console.width and "\t" not in line.plain:
        return line
    indent = len(line.plain) - len(line.plain.lstrip())
    margin = indent + 2 if hang is None else hang
    if margin > console.width // 2:
        margin = min(indent, 4)
    first, *rest = line.divide([margin]) if margin else [line]
    if not rest:
        return first
    lines = rest[0].wrap(console, console.width - first.cell_len, overflow="fold")
    for folded in lines:
        folded.rstrip()
    return first + Text("\n" + " " * first.cell_len).join(lines)
