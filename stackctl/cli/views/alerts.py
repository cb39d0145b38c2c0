"""Shows ``alerts test`` and ``alerts send`` as text."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.usecases.alerts import AlertsReport
from stackctl.usecases.result import Result


def show(console: Console, result: Result[AlertsReport]) -> None:
    """Print one line for each receiver."""
    sent = result.payload.sent
    if not sent:
        plain(console, "nothing to send: the receivers know of everything")
    for one in sent:
        plain(console, f"✓ {one.receiver}" if one.problem is None else f"✗ {one.receiver}: {one.problem}")
