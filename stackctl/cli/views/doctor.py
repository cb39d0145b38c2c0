"""``doctor`` as text."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from stackctl.cli.console import plain
from stackctl.usecases.result import Result

_MARKS = {"ok": ("✓", "green"), "wrong": ("✗", "red"), "unknown": ("?", "yellow")}


def show(console: Console, result: Result) -> None:
    """One line a check, and then what to do: about what is wrong first, and elsewhere."""
    rows = [row for section in result.data["sections"] for row in section["checks"]]
    width = max((len(row["name"]) for row in rows), default=0)
    for section in result.data["sections"]:
        console.print(Text(section["title"], style="bold"))
        for row in section["checks"]:
            mark, style = _MARKS[row["verdict"]]
            told = f" {row['name'].ljust(width)}  {_about(row, section['title'])}"
            console.print(Text.assemble("  ", (mark, style), told), soft_wrap=True)
    plain(console, "")
    wrong = [row for row in rows if row["verdict"] == "wrong"]
    todos = list(dict.fromkeys(_todo(row) for row in wrong))
    elsewhere = list(dict.fromkeys(_todo(row) for row in rows if row["verdict"] == "unknown" and row["todo"]))
    if not wrong:
        plain(console, "nothing is wrong")
    for title, lines in (("what to do first:", todos[:1]), ("then:", todos[1:]), ("check elsewhere:", elsewhere)):
        if lines:
            console.print(Text(title, style="bold"))
        for line in lines:
            plain(console, f"  {line}")


def _about(row: dict[str, Any], title: str) -> str:
    return f"{row['subject']}: {row['text']}" if row["subject"] not in {None, title} else str(row["text"])


def _todo(row: dict[str, Any]) -> str:
    return f"{row['subject'] or row['name']}: {row['todo']}"
