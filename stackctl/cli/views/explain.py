"""``explain`` as text: a drawing of the way, a line for each link."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.text import Text

from stackctl.cli.console import plain
from stackctl.usecases.result import Result

_MARKS = {"ok": ("─", "green"), "wrong": ("✗", "red"), "unknown": ("?", "yellow")}


def show(console: Console, result: Result) -> None:
    """The way from top to bottom, then what is broken, then what the proxy logged."""
    data = result.data
    way, plain_http = data["links"][:-1], data["links"][-1]
    width = max(len(link["link"]) for link in data["links"])
    plain(console, f"https://{data['domain']}{data['path']}")
    for number, link in enumerate(way, 1):
        _line(console, link, "└" if number == len(way) else "├", width)
    plain(console, f"http://{data['domain']}{data['path']}")
    _line(console, plain_http, "└", width)
    plain(console, "")
    broken = data["broken"]
    if broken is None:
        plain(console, "the way is whole")
    else:
        console.print(
            Text.assemble(("broken: ", "red"), f"{broken['link']}: {broken['why'] or broken['text']}"), soft_wrap=True
        )
        if broken["todo"]:
            plain(console, f"  → {broken['todo']}")
    if data["log"]:
        plain(console, "")
        console.print(Text(f"last errors that the proxy logged for {data['domain']}:", style="bold"))
    for error in data["log"]:
        upstream = f" ({error['upstream']})" if error["upstream"] else ""
        request = f" on {error['request']!r}" if error["request"] else ""
        plain(console, f"  {error['time']} {error['message']}{upstream}{request}")


def _line(console: Console, link: dict[str, Any], branch: str, width: int) -> None:
    mark, style = _MARKS[link["verdict"]]
    where = f"  {link['where']}" if link["where"] else ""
    told = f" {link['link'].ljust(width)}  {link['text']}"
    console.print(Text.assemble(branch, (mark, style), told, (where, "dim")), soft_wrap=True)
