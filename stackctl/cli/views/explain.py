"""Shows ``explain`` as text: the request as a tree, one line per hop."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.diagnose.check import Verdict
from stackctl.diagnose.hops import HopKind
from stackctl.usecases.explain import EarlierReport, ExplainReport, HopReport
from stackctl.usecases.result import Result

_EARLIER = 20
"""The number of earlier routes to show."""

_MARKS = {Verdict.OK: ("─", "green"), Verdict.WRONG: ("✗", "red"), Verdict.UNKNOWN: ("?", "yellow")}


def show(console: Console, result: Result[ExplainReport]) -> None:
    """Print the hops in order, then the one that fails, then the errors that the proxy logged."""
    report = result.payload
    https = [hop for hop in report.hops if hop.kind is not HopKind.HTTP]
    width = max(len(hop.kind) for hop in report.hops)
    verb = "" if report.method == "GET" else f"{report.method} "
    plain(console, f"{verb}https://{report.domain}{report.path}")
    for number, hop in enumerate(https, 1):
        _line(console, hop, "└" if number == len(https) else "├", width)
        if hop.kind is HopKind.ROUTE:
            _earlier(console, report.earlier, width)
    for hop in report.hops[len(https) :]:
        plain(console, f"{verb}http://{report.domain}{report.path}")
        _line(console, hop, "└", width)
    plain(console, "")
    broken = report.broken
    if broken is None:
        plain(console, "every hop works")
    else:
        plain(console, ("broken: ", "red"), f"{broken.kind}: {broken.why or broken.text}")
        if broken.todo:
            plain(console, f"  → {broken.todo}")
    if report.log:
        plain(console, "")
        plain(console, (f"last errors that the proxy logged for {report.domain}:", "bold"))
    for error in report.log:
        upstream = f" ({error.upstream})" if error.upstream else ""
        request = f" on {error.request!r}" if error.request else ""
        plain(console, f"  {error.time} {error.message}{upstream}{request}")


def _earlier(console: Console, earlier: Sequence[EarlierReport], width: int) -> None:
    """Print the routes that are tried before, each with the condition that is not met."""
    for one in earlier[:_EARLIER]:
        text = f"│   {' ' * width}not {one.where}: {one.why}"
        plain(console, (text, "dim"), hang=width + 8)
    if len(earlier) > _EARLIER:
        plain(console, (f"│   {' ' * width}and {len(earlier) - _EARLIER} more: see --output json", "dim"))


def _line(console: Console, hop: HopReport, branch: str, width: int) -> None:
    where = f"  {hop.where}" if hop.where else ""
    text = f" {hop.kind.ljust(width)}  {hop.text}"
    plain(console, branch, _MARKS[hop.verdict], text, (where, "dim"), hang=width + 5)
