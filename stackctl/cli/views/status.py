"""``status`` as text."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from stackctl.cli.console import plain
from stackctl.usecases.result import Result
from stackctl.usecases.status import SiteStatus, StatusReport

_SERVED_STYLES = {"real": "green", "dummy": "yellow", "other": "yellow", "nothing": "red"}


def show(console: Console, result: Result[StatusReport]) -> None:
    """One row per app."""
    report = result.payload
    plain(console, f"project {report.project}, proxy {report.proxy}")
    if not report.sites:
        plain(console, "no apps yet: add one with 'stackctl add-app DOMAIN'")
        return
    rows = [_TITLES, *(_status_row(row) for row in report.sites)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES) - 1)]
    # Padded by hand and printed at once: at a thousand apps a table that measures every cell for wrapping, or a
    # print for each, takes longer than finding out what it says.
    text = Text()
    for row in rows:
        text.append("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)) + "  ")
        text.append(f"{row[-1]}\n", _SERVED_STYLES.get(row[-1], "bold"))
    console.print(text, soft_wrap=True, end="")


_TITLES = ("APP", "ALIASES", "UPSTREAM", "HEALTH", "ISSUER", "NOT AFTER", "DAYS", "SERVED")


def _status_row(row: SiteStatus) -> tuple[str, ...]:
    return (
        row.name,
        ", ".join(row.aliases) or "-",
        row.upstream,
        row.health,
        row.certificate_problem or row.issuer or "-",
        f"{row.not_after:%Y-%m-%d}" if row.not_after else "-",
        "-" if row.days_left is None else str(row.days_left),
        row.served,
    )
