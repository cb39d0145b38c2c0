"""``config`` as text: nginx can read it, so what is said besides are comments."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.usecases.config import ConfigReport
from stackctl.usecases.result import Result


def show(console: Console, result: Result[ConfigReport]) -> None:
    """Each file under its name."""
    if not result.payload.live:
        plain(console, "# This is not what is live: 'stackctl plan' shows the difference, 'stackctl up' makes it so.")
    for file in result.payload.files:
        plain(console, f"# {file.path}")
        plain(console, file.content.rstrip("\n"))
