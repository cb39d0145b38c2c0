"""``rollback`` as text."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.views import plan
from stackctl.usecases.adopt.take_over import UndoReport
from stackctl.usecases.result import Result
from stackctl.usecases.rollback import RollbackReport


def show(console: Console, result: Result[RollbackReport | UndoReport]) -> None:
    """As a plan is shown; giving an old stack back has none, and its notes say all of it."""
    if isinstance(result.payload, RollbackReport):
        plan.show(console, result)
