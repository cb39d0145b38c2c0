"""Prints tables that fit the terminal: cells are wrapped, or each row becomes a block of lines."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from stackctl.cli.console import Part, plain
from stackctl.wording import printable

_GAP = 2


def table(
    console: Console,
    titles: Sequence[str],
    rows: Sequence[Sequence[str]],
    style: Callable[[str], str] = lambda _cell: "",
) -> None:
    """Print ``rows`` in columns below ``titles``; ``style`` returns the style of a row's last cell.

    Without a terminal every row is one line. On a terminal that is too narrow for the longest words of the
    columns, a row is a block: its first cell, then a line for each other cell.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    natural = [max(map(cell_len, column)) for column in zip(titles, *cells, strict=True)]
    if not console.is_terminal or sum(natural) + _GAP * (len(titles) - 1) <= console.width:
        _print(console, [_joined([*row], natural, style(row[-1])) for row in [titles, *cells]])
        return
    least = [max(_longest_word(cell) for cell in column) for column in zip(titles, *cells, strict=True)]
    room = console.width - _GAP * (len(titles) - 1) - sum(least)
    if room < 0:
        _print_blocks(console, titles, cells, style)
        return
    widths = list(least)
    # The remaining width goes to the columns that lack the most.
    while room and (wants := [full - width for full, width in zip(natural, widths, strict=True)]) and any(wants):
        widths[wants.index(max(wants))] += 1
        room -= 1
    _print(console, [line for row in [titles, *cells] for line in _folded(row, widths, style(row[-1]))])


def fits(console: Console, titles: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Return whether a table of these cells fits the width of the terminal."""
    least = [max(_longest_word(printable(cell)) for cell in column) for column in zip(titles, *rows, strict=True)]
    return not console.is_terminal or sum(least) + _GAP * (len(titles) - 1) <= console.width


def _print(console: Console, lines: Sequence[Text]) -> None:
    # One print call for all: with a thousand rows, a call for each takes longer than collecting them.
    console.print(Text("\n").join(lines), soft_wrap=True)


def _print_blocks(
    console: Console, titles: Sequence[str], rows: Sequence[Sequence[str]], style: Callable[[str], str]
) -> None:
    width = max(map(cell_len, titles[1:]))
    for row in rows:
        plain(console, (row[0], "bold"))
        for title, cell in zip(titles[1:], row[1:], strict=True):
            value: Part = (cell, style(cell)) if cell is row[-1] else cell
            plain(console, f"  {title.lower().ljust(width)}  ", value, hang=width + 4)


def _folded(row: Sequence[str], widths: Sequence[int], style: str) -> list[Text]:
    folded = [_fold(cell, width) for cell, width in zip(row, widths, strict=True)]
    return [_joined(line, widths, style) for line in zip_longest(*folded, fillvalue="")]


def _fold(cell: str, width: int) -> list[str]:
    lines: list[str] = []
    for word in cell.split():
        if lines and cell_len(lines[-1]) + 1 + cell_len(word) <= width:
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return lines


def _joined(row: Sequence[str], widths: Sequence[int], style: str) -> Text:
    text = Text()
    for cell, width in zip(row[:-1], widths, strict=False):
        text.append(cell + " " * (width - cell_len(cell) + _GAP))
    text.append(row[-1], style)
    text.rstrip()
    return text


def _longest_word(cell: str) -> int:
    return max(map(cell_len, cell.split()), default=0)
