"""Shows ``adopt`` as text: the findings, how they are handled, and the downtime."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.console import Part, make_console, plain, verbatim
from stackctl.usecases.adopt.report import AdoptComparison, AdoptedSite, AdoptReport
from stackctl.usecases.result import Result
from stackctl.wording import day, listed

_TITLES = {
    "kept": "kept, in {folder}/",
    "replaced": "replaced by stackctl's own configuration",
    "changed": "changed",
    "lost": "not supported",
}
_STYLES = {"lost": "bold red", "changed": "yellow"}
_DIFF_STYLES = {"+": "green", "-": "red", "@": "cyan"}


def show(console: Console, result: Result[AdoptReport | None]) -> None:
    """Print the plan of a dry run, or the result of the adoption."""
    report = result.payload
    if report is None:  # the user declined
        return
    if not result.plan:
        plain(console, "nothing to adopt: stackctl already manages this stack (see 'stackctl status')")
        return
    if result.dry_run:
        _plan(console, report)
        _verdict(console, report)
        return
    if result.errors:
        return
    if not report.replaced:
        plain(console, "the proxy was not replaced: no downtime")
    elif report.gap_ms is None:
        plain(console, "the proxy was started; it was not running before")
    else:
        plain(console, f"the proxy was replaced: {report.gap_ms} ms of downtime")
    adopted = f"{len(report.sites)} site{'s' if len(report.sites) != 1 else ''} adopted"
    plain(console, f"{adopted}; 'stackctl rollback' restores the old stack")
    for site in report.sites:
        if site.certificate is None:
            plain(console, f"{site.name} has no certificate yet: issue it with 'stackctl up'")


def show_plan(result: Result[AdoptReport]) -> None:
    """Print the plan before the confirmation."""
    console = make_console()
    _plan(console, result.payload)
    _title(console, "steps")
    for operation in result.plan.operations:
        plain(console, f"  {operation.text}  ({operation.cause})")


def _plan(console: Console, report: AdoptReport) -> None:
    _title(console, "sites")
    for site in report.sites:
        plain(console, f"  {_site(site)}")
    if not report.sites:
        plain(console, "  none that stackctl can manage")
    for handling, title in _TITLES.items():
        remarks = [remark for remark in report.remarks if remark.handling == handling]
        if remarks:
            _title(console, title.format(folder=report.folder), _STYLES.get(handling, "bold"))
        for remark in remarks:
            plain(console, f"  {remark.at + ': ' if remark.at else ''}{remark.text}")
    if report.comparison is not None:
        _comparison(console, report.comparison)
    if report.diff:
        _title(console, "changes to the Compose file")
    lines: list[Part] = [(f"  {line}", _DIFF_STYLES.get(line[:1], "")) for line in report.diff.splitlines()]
    verbatim(console, *lines)


def _comparison(console: Console, found: AdoptComparison) -> None:
    if found.problem is not None:
        _title(console, "answers of the old proxy and the new one")
        plain(console, f"  not compared: {found.problem}")
        return
    differing = sum(not one.expected for one in found.differences)
    title = f"answers of the old proxy and the new one to {found.requests} requests"
    _title(console, title, "bold yellow" if differing else "bold")
    for one in found.differences:
        what = "body" if one.what == "body" else one.what if one.what == "status" else f"header {one.what}"
        change = f"{what} was {one.old or 'missing'}, is {one.new or 'missing'}"
        plain(console, f"  {one.at}: {one.request}: {change}{' (listed above)' if one.expected else ''}")
    if not found.differences:
        plain(console, "  no difference")
    if found.not_compared:
        plain(console, f"  no request could be made up for {listed(found.not_compared)}")


def _verdict(console: Console, report: AdoptReport) -> None:
    if report.stops:
        _title(
            console,
            "the stack is not adopted: some settings are not supported; --force continues without them",
            "bold red",
        )


def _site(site: AdoptedSite) -> str:
    names = listed([site.name, *site.aliases])
    until = f", valid until {day(site.not_after)}" if site.not_after else ""
    certificate = f"certificate {site.certificate}{until}" if site.certificate else "no certificate yet"
    return f"{names} -> {site.upstream}  ({certificate}; {site.at})"


def _title(console: Console, text: str, style: str = "bold") -> None:
    plain(console, (text, style))
