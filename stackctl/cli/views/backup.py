"""Shows ``backup`` and ``restore`` as text."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.usecases.backup import BackupReport
from stackctl.usecases.restore import RestoreReport
from stackctl.usecases.result import Result
from stackctl.wording import moment


def show_backup(console: Console, result: Result[BackupReport]) -> None:
    """Print the content of the archive, and what the stack also needs."""
    report = result.payload
    shown = "standard output" if report.archive == "-" else report.archive
    encrypted = ", encrypted" if report.encrypted else ""
    plain(console, f"wrote {shown}: {_held(report)}, {_size(report.size)}{encrypted}")
    plain(console, f"not in the archive, back up separately: {_listed(report.left_out)}")
    if not report.encrypted:
        plain(console, "the archive contains unencrypted private keys: protect it like this host")


def show_restore(console: Console, result: Result[RestoreReport]) -> None:
    """Print what was restored, or would be."""
    report = result.payload
    what = f"{_held(report)}, of {moment(report.made)}"
    if not result.dry_run:
        plain(console, f"restored {report.archive}: {what}")
        return
    plain(console, f"{report.archive} is intact: {what}")
    if report.replaced:
        plain(console, f"with --force, these would be moved aside: {', '.join(report.replaced)}")


def _held(report: BackupReport | RestoreReport) -> str:
    number, secrets = len(report.certificates) + len(report.stored), len(report.secrets)
    held = f"project {report.project}, {report.files} files, {number} certificate{'' if number == 1 else 's'}"
    return f"{held}, {secrets} file{'' if secrets == 1 else 's'} with secrets" if secrets else held


def _listed(left_out: Sequence[str]) -> str:
    # A long list is cut short.
    named = left_out[:10]
    more = [f"{len(left_out) - 10} more"] if len(left_out) > 10 else []
    return "; ".join([*named, *more, "the apps' images"])


def _size(size: int) -> str:
    return f"{size} bytes" if size < 10_000 else f"{size / 1000:,.0f} kB"
