"""Many certificates that were not issued, as one table: what to do about a problem is said once."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.errors import IssueFailed, StackctlError

_FEW = 3
"""So many are told one by one."""


def show(console: Console, errors: Sequence[StackctlError]) -> list[StackctlError]:
    """Print the table, where there is enough for one; returns the errors that are not in it."""
    failed = [error for error in errors if isinstance(error, IssueFailed) and error.lineage]
    if len(failed) <= _FEW:
        return list(errors)
    console.print("[red]error:[/] ", end="")
    plain(console, f"{len(failed)} certificates were not issued")
    rows = [("CERTIFICATE", "WHY", "IN WORDS")]
    rows += [(error.lineage or "", error.why, " ".join(error.detail.split())) for error in failed]
    name, why = (max(len(row[column]) for row in rows) for column in (0, 1))
    for row in rows:
        plain(console, f"  {row[0].ljust(name)}  {row[1].ljust(why)}  {row[2]}")
    for hint in dict.fromkeys(error.hint for error in failed if error.hint):
        of = sorted({error.why for error in failed if error.hint == hint})
        plain(console, f"  → {', '.join(of)}: {hint}" if of != ["-"] else f"  → {hint}")
    return [error for error in errors if error not in failed]
