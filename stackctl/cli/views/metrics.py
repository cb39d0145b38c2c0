"""``metrics`` as text."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import verbatim
from stackctl.usecases.metrics import MetricsReport
from stackctl.usecases.result import Result


def show(console: Console, result: Result[MetricsReport]) -> None:
    """Print the text as it is."""
    verbatim(console, result.payload.text.rstrip("\n"))
