"""Shows ``status`` as text."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.cli.table import fits, table
from stackctl.engine.probe.workers import OldWorkers
from stackctl.model.layout import site_of_file
from stackctl.model.matching import EVERY_PATH
from stackctl.usecases.result import Result
from stackctl.usecases.status import SiteStatus, StatusReport, StreamStatus
from stackctl.wording import day, listed, span

_SERVED_STYLES = {
    "real": "green",
    "http": "green",
    "dummy": "yellow",
    "other": "yellow",
    "nothing": "red",
    "parked": "red",
}


def show(console: Console, result: Result[StatusReport]) -> None:
    """Print one row per route."""
    report = result.payload
    plain(console, f"project {report.project}, proxy {report.proxy}")
    if report.old_workers is not None and report.old_workers.connections != 0:
        plain(console, _old_workers(report.old_workers))
    if report.deploying:
        services = listed(report.deploying)
        plain(console, f"a deploy of {services} is running or was interrupted: 'stackctl up' finishes it")
    if report.drained:
        plain(console, "this host takes no requests of its load balancer: 'stackctl maintenance host off' ends it")
    for name in map(site_of_file, report.unused):
        plain(console, f"no site uses the certificate {name}: 'stackctl cert retire {name}' deletes it")
    if report.sites:
        _sites(console, report)
    else:
        plain(console, "no sites yet: add one with 'stackctl add-app DOMAIN'")
    if report.streams:
        rows = [(one.stream, one.upstream, listed(one.allow, 3) or "all", _health(one)) for one in report.streams]
        plain(console, "")
        table(console, ("STREAM", "UPSTREAM", "CLIENTS", "HEALTH"), rows, lambda _: "bold")
    for stream in report.streams:
        if stream.parked:
            plain(console, f"{stream.stream} is parked, so that all other sites are served: {stream.parked}")


def _old_workers(old: OldWorkers) -> str:
    workers = f"{old.workers} old worker{'' if old.workers == 1 else 's'} of the proxy"
    hold = "hold" if old.workers > 1 else "holds"
    held = "connections" if old.connections is None else f"{old.connections} connection"
    held += "s" if old.connections not in {None, 1} else ""
    ends = f"{old.ends_after} after a reload, or with the last of them"
    return f"{workers} {hold} {held}, the oldest has run for {span(old.oldest)}: they end {ends}"


def _health(row: StreamStatus) -> str:
    return "parked" if row.parked else row.health


def _sites(console: Console, report: StatusReport) -> None:
    shown = ([line for row in report.sites for line in _lines(row, aliases)] for aliases in _ALIASES)
    rows = next((rows for rows in shown if fits(console, _TITLES, rows)), None)
    rows = rows or [line for row in report.sites for line in _lines(row, _ALIASES[0])]
    table(console, _TITLES, rows, lambda served: _SERVED_STYLES.get(served, "bold"))
    if report.renewal.problem is not None:
        plain(console, ("renewal: ", "red"), f"{report.renewal.problem}; see 'stackctl doctor'")
    for row in report.sites:
        if row.maintenance:
            plain(console, f"{row.name} is {row.maintenance}")
        for server in row.servers:
            if server.reason:
                plain(console, (f"{row.name}: ", "red"), server.reason)
        if row.ending:
            plain(console, (f"{row.name}: ", "yellow"), row.ending)
        if row.parked:
            plain(console, f"{row.name} is parked, so that all other sites are served: {row.parked}")


_ALIASES = (3, 1, 0)
"""The number of aliases to show, fewer on a narrow terminal; JSON contains all of them."""

_TITLES = ("SITE", "ALIASES", "UPSTREAM", "HEALTH", "ISSUER", "NOT AFTER", "SERVED")


def _lines(row: SiteStatus, aliases: int) -> Iterator[tuple[str, ...]]:
    """Yield one line for each route: the first one is about the site too."""
    first, *others = row.routes
    if first.match != str(EVERY_PATH):
        yield _first(row, aliases, "404 for other paths", "-")
        others = [first, *others]
    else:
        yield _first(row, aliases, first.target, first.health or "-")
    for route in others:
        name = f"{row.name}{'' if route.match.startswith('/') else ' '}{route.match}"
        yield (name, "-", route.target, route.health or "-", "-", "-", "")


def _first(row: SiteStatus, aliases: int, target: str, health: str) -> tuple[str, ...]:
    return (
        row.name,
        listed(row.aliases, aliases) or "-",
        target,
        health,
        row.certificate_problem or row.issuer or "-",
        f"{day(row.not_after)} ({row.days_left} days)" if row.not_after else "-",
        "parked" if row.parked else row.served,
    )
