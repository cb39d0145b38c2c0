"""Many certificates that were not issued, as one table: what to do about a problem is said once."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.cli.table import table
from stackctl.errors import IssueFailed, StackctlError

_FEW = 3
"""So many are told one by one."""


def show(console: Console, errors: Sequence[StackctlError]) -> list[StackctlError]:
    """Print the table, where there is enough for one; returns the errors that are not in it."""
    failed = [error for error in errors if isinstance(error, IssueFailed) and error.lineage]
    if len(failed) <= _FEW:
        return list(errors)
    plain(console, ("error: ", "red"), f"{len(failed)} certificates were not issued")
    rows = [(f"  {error.lineage}", error.why, " ".join(error.detail.split())) for error in failed]
    table(console, ("  CERTIFICATE", "WHY", "IN WORDS"), rows)
    for hint in dict.fromkeys(error.hint for error in failed if error.hint):
        of = sorted({error.why for error in failed if error.hint == hint})
        plain(console, f"  → {', '.join(of)}: {hint}" if of != ["-"] else f"  → {hint}")
    return [error for error in errors if error not in failed]
