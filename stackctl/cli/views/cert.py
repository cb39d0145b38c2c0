"""Shows the results of ``cert`` as text."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console

from stackctl.certs.trust import Nearness
from stackctl.cli.console import plain
from stackctl.cli.table import table
from stackctl.model.layout import site_of_file
from stackctl.usecases.cert_export import ExportReport
from stackctl.usecases.cert_import import ImportReport
from stackctl.usecases.cert_looks import CertificateRow, ListReport, ShowReport
from stackctl.usecases.result import Result
from stackctl.wording import day, listed, moment

_TITLES = ("NAME", "NAMES", "ISSUER", "SOURCE", "NOT AFTER", "USED BY", "SERVED")
_STYLES = {"yes": "green", "no": "red"}


def list_view(*, paths: bool) -> Callable[[Console, Result[ListReport]], None]:
    """Return what prints one row per certificate, with ``paths`` the files of each below the table."""

    def show(console: Console, result: Result[ListReport]) -> None:
        rows = result.payload.certificates
        if not rows:
            plain(console, "there are no certificates yet: 'stackctl add-app DOMAIN' requests one")
            return
        table(console, _TITLES, [_row(one) for one in rows], lambda served: _STYLES.get(served, ""))
        for one in rows:
            if one.problem:
                plain(console, f"{site_of_file(one.name)}: {one.problem}")
        for one in rows if paths else ():
            plain(console, f"{site_of_file(one.name)} ({one.source}): {', '.join(one.paths)}")

    return show


def _row(one: CertificateRow) -> tuple[str, ...]:
    return (
        site_of_file(one.name),
        listed(one.names, 3) or "-",
        one.issuer or "-",
        one.source,
        f"{day(one.not_after)} ({one.days_left} days)" if one.not_after else "-",
        listed(one.used_by, 3) or "-",
        _served(one),
    )


def _served(one: CertificateRow) -> str:
    return "-" if one.served is None else "yes" if one.served else "no"


def show_one(console: Console, result: Result[ShowReport]) -> None:
    """Print one line for each fact about a certificate."""
    report = result.payload
    one = report.certificate
    until = f"{moment(one.not_after)} ({one.days_left} days)" if one.not_after else "-"
    lines = {
        "name": site_of_file(one.name),
        "names": ", ".join(one.names),
        "source": one.source,
        "issuer": one.issuer or "-",
        "serial": report.serial,
        "sha-256": report.fingerprint,
        "key": report.key,
        "not before": moment(report.not_before),
        "not after": until + ("" if report.nearness is Nearness.FAR else f", {_near(report.nearness)}"),
        "chain": " <- ".join(report.chain),
        "used by": ", ".join(one.used_by) or "-",
        "served": _served(one),
        "files": ", ".join(one.paths),
    }
    for title, text in lines.items():
        plain(console, f"{title:<12}{text}", hang=12)
    if one.problem:
        plain(console, f"{'problem':<12}{one.problem}", hang=12)
    for site, proxied in report.proxied.items():
        plain(console, f"{site} {'resolves' if proxied else 'does not resolve'} to Cloudflare's proxy")


def _near(nearness: Nearness) -> str:
    return "it is over" if nearness is Nearness.OVER else "its end is near"


def show_import(console: Console, result: Result[ImportReport]) -> None:
    """Print which sites are served with what."""
    one = result.payload
    sites = f"{listed(one.sites)}: " if one.sites else f"{site_of_file(one.name)}: "
    text = f"certificate of {one.issuer}, serial {one.serial}, valid until {day(one.not_after)} ({one.days_left} days)"
    if not result.dry_run and not result.errors:
        plain(console, f"{sites}{text}")


def show_export(console: Console, result: Result[ExportReport]) -> None:
    """Print where the certificate is, and how long it stays as it is."""
    one = result.payload
    if not one.kept_fresh:
        plain(console, f"wrote {site_of_file(one.certificate)} with its key to {one.path}")
        return
    plain(
        console,
        f"{one.path} has {site_of_file(one.certificate)} with its key, and is kept fresh by certbot's container",
    )
    plain(console, "mount this folder into the other container, read-only; to end this, delete the folder")
