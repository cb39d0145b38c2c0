"""Shows ``user list`` as text."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.cli.table import table
from stackctl.usecases.result import Result
from stackctl.usecases.users import UsersReport


def show(console: Console, result: Result[UsersReport]) -> None:
    """Print one row per user."""
    report = result.payload
    if not report.users:
        plain(console, f"no users: add one with 'stackctl user add {report.domain} NAME'")
        return
    rows = [(one.name, one.where, one.problem or "-") for one in report.users]
    table(console, ("USER", "WHERE", "PROBLEM"), rows, lambda _state: "default")
