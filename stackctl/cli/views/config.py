"""``config`` as text: the proxy can read it, because all other text is in comments."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain, verbatim
from stackctl.usecases.config import ConfigReport
from stackctl.usecases.result import Result


def show(console: Console, result: Result[ConfigReport]) -> None:
    """Each file under its name."""
    if not result.payload.live:
        plain(console, "# This is not what is live: 'stackctl plan' shows the difference, 'stackctl up' makes it so.")
    for file in result.payload.files:
        verbatim(console, f"# {file.path}", file.content.rstrip("\n"))
