"""Shows ``renew`` as text."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.usecases.renew import RenewReport
from stackctl.usecases.result import Result


def show(console: Console, result: Result[RenewReport]) -> None:
    """Print the outcome for each site's certificate."""
    for row in result.payload.sites:
        plain(console, f"{row.name}: {row.status}" + (f" ({row.reason})" if row.reason else ""))
