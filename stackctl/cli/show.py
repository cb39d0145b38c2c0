"""A command's result as text or as one JSON object."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console

from stackctl.cli.console import plain
from stackctl.cli.views import adopt, backup, config, doctor, down, explain, failures, history, plan, renew, status
from stackctl.errors import StackctlError
from stackctl.usecases.result import Result


def as_json(result: Result, notes: list[str]) -> str:
    """The documented object of ``--output json`` (docs/reference/json-output.md)."""
    statuses = {id(step.operation): step for step in result.steps}
    operations = []
    for operation in result.plan.operations:
        step = statuses.get(id(operation))
        operations.append(
            {
                "kind": type(operation).__name__,
                "text": operation.text,
                "cause": operation.cause,
                "scope": operation.scope,
                "status": step.status if step else "planned",
            }
        )
    shown = {
        "command": result.command,
        "ok": not result.errors,
        "changed": result.changed,
        "dry_run": result.dry_run,
        "operations": operations,
        "errors": [error_object(error) for error in result.errors],
        "notes": [*notes, *result.notes],
        **result.data,
    }
    if result.dry_run:
        numbered = [(number, diff) for number, diffs in enumerate(result.diffs) for diff in diffs]
        shown["diffs"] = [
            {"operation": number, "path": diff.path, "status": diff.status, "diff": "\n".join(diff.lines)}
            for number, diff in [*((None, diff) for diff in result.edited), *numbered]
        ]
    return json.dumps(shown, indent=2)


def error_object(error: StackctlError) -> dict[str, Any]:
    """An error in JSON's types."""
    return {"code": int(error.code), "message": error.message, "where": error.where, "hint": error.hint}


_VIEWS = {
    "adopt": adopt.show,
    "backup": backup.show_backup,
    "config": config.show,
    "doctor": doctor.show,
    "down": down.show,
    "explain": explain.show,
    "history": history.show,
    "plan": plan.show,
    "renew": renew.show,
    "restore": backup.show_restore,
    "rollback": plan.show,
    "status": status.show,
}
"""For commands that have more to show than operations."""


def show_text(console: Console, errors: Console, result: Result) -> None:
    """What a person reads at the end."""
    for note in result.notes:
        plain(console, f"· {note}")
    if result.dry_run:
        plan.show_plan(console, result)
    view = _VIEWS.get(result.command)
    if view is not None:
        view(console, result)
    elif not result.plan and not result.data:
        plain(console, "nothing to do: everything is as it should be")
    for error in failures.show(errors, result.errors):
        show_error(errors, error)


def show_error(console: Console, error: StackctlError) -> None:
    """One message: what, where, what to do."""
    console.print("[red]error:[/] ", end="")
    plain(console, str(error))
    if error.hint:
        plain(console, f"  → {error.hint}")
