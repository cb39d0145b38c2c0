"""Shows ``logs top`` as text, and lines of logs as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

from rich.console import Console

from stackctl.cli.console import make_console, plain, verbatim
from stackctl.cli.table import table
from stackctl.usecases.logs import Line
from stackctl.usecases.logs_top import Counted, TopReport
from stackctl.usecases.result import Result
from stackctl.wording import iso, moment, printable, size

_LONGEST = 100
"""Characters of a path that are shown."""


def show_top(console: Console, result: Result[TopReport]) -> None:
    """Print one table for each question."""
    report = result.payload
    if report.first is None or report.last is None:
        plain(console, "the log has no requests")
        return
    classes = ", ".join(f"{number} {kind}" for kind, number in report.statuses.items())
    plain(console, f"{report.requests} requests from {moment(report.first)} to {moment(report.last)}: {classes}")
    for title, found in (
        ("PATH", report.paths),
        ("CLIENT", report.clients),
        ("PATH WITH ERRORS", report.errors),
        ("PATH BY SIZE", report.sizes),
    ):
        _table(console, title, found)
    if report.slowest:
        rows = [
            (_short(f"{one.site}{one.path}"), moment(one.time), str(one.status), f"{one.seconds:.3f} s")
            for one in report.slowest
        ]
        plain(console, "")
        table(console, ("SLOWEST", "TIME", "STATUS", "TOOK"), rows)


def _table(console: Console, title: str, found: Sequence[Counted]) -> None:
    if not found:
        return
    rows = [
        (_short(one.what), str(one.requests), str(one.errors), size(one.bytes), f"{one.seconds:.3f} s") for one in found
    ]
    plain(console, "")
    table(console, (title, "REQUESTS", "ERRORS", "SIZE", "SLOWEST"), rows)


def _short(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"


class Printing:
    """Prints the lines of a log.

    Attributes:
        printed: how many it has printed.
    """

    def __init__(self, *, as_objects: bool) -> None:
        self._console = make_console()
        self._as_objects = as_objects
        self.printed = 0

    def all(self, lines: Iterable[Line], *, follow: bool) -> None:
        """Print lines, each as soon as it is there; if they are followed, an interruption is their usual end."""
        try:
            for line in lines:
                verbatim(self._console, line_object(line) if self._as_objects else line.text)
                self.printed += 1
        except KeyboardInterrupt:
            if not follow:
                raise


def line_object(line: Line) -> str:
    """Return a line of a log as one JSON object in one line, in ASCII."""
    shown: dict[str, object] = {"service": line.service}
    request = line.request
    if request is None:
        return json.dumps({**shown, "line": line.body})
    return json.dumps(
        {
            **shown,
            "site": line.site,
            "time": iso(request.time),
            "id": request.id,
            "client": request.client,
            "user": request.user,
            "host": request.host,
            "method": request.method,
            "target": request.target,
            "status": request.status,
            "bytes": request.bytes,
            "seconds": request.seconds,
            "upstream": request.upstream,
            "referer": request.referer,
            "agent": request.agent,
            "state": request.state,
        }
    )
