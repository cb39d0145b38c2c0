"""``config`` as text: the proxy can read it, because all other text is in comments."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain, verbatim
from stackctl.usecases.config import ConfigReport
from stackctl.usecases.result import Result


def show(console: Console, result: Result[ConfigReport]) -> None:
    """Print each file below its name."""
    if not result.payload.live:
        plain(console, "# This differs from the live files: see 'stackctl plan', and apply it with 'stackctl up'.")
    for file in result.payload.files:
        verbatim(console, f"# {file.path}", file.content.rstrip("\n"))
