"""Shows the result of a command as text."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.cli.views import failures, plan
from stackctl.errors import StackctlError
from stackctl.usecases.result import Result

P = TypeVar("P")


View = Callable[[Console, Result[P]], None]
"""Shows the payload of a command."""


def show_text(console: Console, errors: Console, result: Result[P], view: View[P] | None = None) -> None:
    """Print the result of a command."""
    for note in result.notes:
        plain(console, f"· {note}")
    if result.dry_run:
        plan.show_plan(console, result)
    if view is not None:
        view(console, result)
    elif not result.plan and result.payload is None:
        plain(console, "nothing to do: the stack is up to date")
    for error in failures.show(errors, result.errors):
        show_error(errors, error)


def show_error(console: Console, error: StackctlError) -> None:
    """Print one error: where it is, what is wrong and what to do."""
    plain(console, ("error: ", "red"), str(error))
    if error.hint:
        plain(console, f"  → {error.hint}")
