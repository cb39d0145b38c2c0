"""``renew`` as text."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.usecases.result import Result


def show(console: Console, result: Result) -> None:
    """What became of each app's certificate."""
    for row in result.data["apps"]:
        plain(console, f"{row['app']}: {row['status']}" + (f" ({row['reason']})" if row["reason"] else ""))
