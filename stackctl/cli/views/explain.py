"""Shows ``explain`` as text: the request as a tree, one line per hop."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.diagnose.check import Verdict
from stackctl.usecases.explain import ExplainReport, HopReport
from stackctl.usecases.result import Result

_MARKS = {Verdict.OK: ("─", "green"), Verdict.WRONG: ("✗", "red"), Verdict.UNKNOWN: ("?", "yellow")}


def show(console: Console, result: Result[ExplainReport]) -> None:
    """Print the hops in order, then the one that fails, then the errors that the proxy logged."""
    report = result.payload
    *https, http = report.hops
    width = max(len(hop.kind) for hop in report.hops)
    plain(console, f"https://{report.domain}{report.path}")
    for number, hop in enumerate(https, 1):
        _line(console, hop, "└" if number == len(https) else "├", width)
    plain(console, f"http://{report.domain}{report.path}")
    _line(console, http, "└", width)
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


def _line(console: Console, hop: HopReport, branch: str, width: int) -> None:
    where = f"  {hop.where}" if hop.where else ""
    text = f" {hop.kind.ljust(width)}  {hop.text}"
    plain(console, branch, _MARKS[hop.verdict], text, (where, "dim"), hang=width + 5)
