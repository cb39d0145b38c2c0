"""Shows ``servers`` as text."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.cli.table import table
from stackctl.usecases.result import Result
from stackctl.usecases.servers import ServersReport, ServerStatus
from stackctl.wording import moment

_TITLES = ("PATH", "ADDRESS", "CONTAINER", "WEIGHT", "STATE")
_STYLES = {"up": "green", "down": "red"}


def show(console: Console, result: Result[ServersReport]) -> None:
    """Print one row per server, and below them why one gets no requests."""
    servers = result.payload.servers
    if not servers:
        plain(console, f"{result.payload.domain} has no servers: the proxy itself answers")
        return
    rows = [(one.match, one.address, one.container or "-", _weight(one), _state(one)) for one in servers]
    table(console, _TITLES, rows, lambda state: _STYLES.get(state.partition(" ")[0], "yellow"))
    for one in servers:
        if one.reason:
            plain(console, f"{one.address}: {one.reason}")
        if one.last_error:
            plain(console, f"{one.address}: last error at {one.last_error_at}: {one.last_error}")


def _state(one: ServerStatus) -> str:
    return f"{one.state} since {moment(one.since)}" if one.since else one.state


def _weight(one: ServerStatus) -> str:
    return "backup" if one.backup else str(one.weight)
