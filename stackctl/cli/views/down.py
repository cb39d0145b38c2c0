"""Shows ``down`` as text."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.usecases.result import Result
from stackctl.usecases.up_down import DownReport


def show(console: Console, result: Result[DownReport]) -> None:
    """Print what was stopped, or would be."""
    services = ", ".join(result.payload.stopped)
    if result.dry_run:
        plain(console, f"would stop: {services or 'nothing is running'}")
    else:
        plain(console, f"stopped: {services or 'nothing was running'}")
