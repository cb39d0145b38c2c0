"""Shows ``trust`` and ``untrust`` as text."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.usecases.result import Result
from stackctl.usecases.trust import TrustReport
from stackctl.wording import day


def show(console: Console, result: Result[TrustReport]) -> None:
    """Print the state of each store."""
    report = result.payload
    if report.not_after is not None:
        plain(console, f"root {report.root}, valid until {day(report.not_after)}, SHA-256 {report.fingerprint}")
    for one in report.stores:
        plain(console, f"{one.store}: {one.state}")
    if not report.stores:
        plain(console, "no store of root certificates was found on this host")
    for line in report.other:
        plain(console, f"run: {line}")


def show_root(console: Console, result: Result[TrustReport]) -> None:
    """Print the root certificate."""
    plain(console, (result.payload.certificate or "").rstrip("\n"))


def show_in_services(console: Console, result: Result[TrustReport]) -> None:
    """Print that nothing had to change, if it is so; the operations are printed already."""
    if not result.plan:
        plain(console, "nothing to do: the services are up to date")
