"""Shows many failed certificates as one table, with each hint once."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.cli.table import table
from stackctl.errors import IssueFailed, StackctlError
from stackctl.model.layout import site_of_file

_FEW = 3
"""Up to this number, failures are shown one by one."""


def show(console: Console, errors: Sequence[StackctlError]) -> list[StackctlError]:
    """Print the table if there are enough failures; return the errors that are not in it."""
    failed = [error for error in errors if isinstance(error, IssueFailed) and error.lineage]
    if len(failed) <= _FEW:
        return list(errors)
    plain(console, ("error: ", "red"), f"{len(failed)} certificates were not issued")
    rows = [(f"  {site_of_file(str(error.lineage))}", error.why, " ".join(error.detail.split())) for error in failed]
    table(console, ("  CERTIFICATE", "PROBLEM", "DETAIL"), rows)
    for hint in dict.fromkeys(error.hint for error in failed if error.hint):
        of = sorted({error.why for error in failed if error.hint == hint})
        plain(console, f"  → {', '.join(of)}: {hint}" if of != ["-"] else f"  → {hint}")
    return [error for error in errors if error not in failed]
