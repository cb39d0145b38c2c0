"""Shows ``dns list`` and ``dns test`` as text."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.cli.table import table
from stackctl.usecases.dns import FindingsReport, ZonesReport
from stackctl.usecases.result import Result
from stackctl.wording import listed

_TITLES = ("ZONE", "PROVIDER", "CREDENTIALS", "ALIAS", "SITES")
_MARKS = {"ok": "✓", "wrong": "✗", "warning": "!"}


def show_zones(console: Console, result: Result[ZonesReport]) -> None:
    """Print one row per zone."""
    zones = result.payload.zones
    if not zones:
        plain(console, "no zones: add one with 'stackctl dns add ZONE --provider NAME'")
        return
    rows = []
    for one in zones:
        credentials = "-" if one.credentials is None else one.credentials + ("" if one.stored else " (missing)")
        rows.append((one.zone, one.provider, credentials, one.alias or "-", listed(one.sites) if one.sites else "-"))
    table(console, _TITLES, rows, lambda _state: "default")


def show_findings(console: Console, result: Result[FindingsReport]) -> None:
    """Print the findings of each name, with what to do."""
    name = None
    for one in result.payload.findings:
        if one.name != name:
            name = one.name
            plain(console, name)
        plain(console, f"  {_MARKS[one.verdict]} {one.text}")
        if one.todo:
            plain(console, f"    {one.todo}")
