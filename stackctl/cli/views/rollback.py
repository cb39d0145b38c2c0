"""Shows ``rollback`` as text."""

from __future__ import annotations

from rich.console import Console

from stackctl.cli.views import plan
from stackctl.usecases.adopt.take_over import UndoReport
from stackctl.usecases.result import Result
from stackctl.usecases.rollback import RollbackReport


def show(console: Console, result: Result[RollbackReport | UndoReport]) -> None:
    """Print the result like a plan; undoing an adoption has no plan, and its notes say everything."""
    if isinstance(result.payload, RollbackReport):
        plan.show(console, result)
