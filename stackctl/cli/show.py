"""A command's result as text or as one JSON object."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.text import Text

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
    return json.dumps(
        {
            "command": result.command,
            "ok": not result.errors,
            "changed": result.changed,
            "dry_run": result.dry_run,
            "operations": operations,
            "errors": [error_object(error) for error in result.errors],
            "notes": [*notes, *result.notes],
            **result.data,
        },
        indent=2,
    )


def error_object(error: StackctlError) -> dict[str, Any]:
    """An error in JSON's types."""
    return {"code": int(error.code), "message": error.message, "where": error.where, "hint": error.hint}


def show_text(console: Console, errors: Console, result: Result) -> None:
    """What a person reads at the end."""
    for note in result.notes:
        _plain(console, f"· {note}")
    if result.dry_run:
        _show_plan(console, result)
    elif not result.plan and not result.data:
        _plain(console, "nothing to do: everything is as it should be")
    if result.command == "status":
        _show_status(console, result.data)
    elif result.command == "renew":
        for row in result.data["apps"]:
            _plain(console, f"{row['app']}: {row['status']}" + (f" ({row['reason']})" if row["reason"] else ""))
    elif result.command == "down" and not result.dry_run:
        _plain(console, f"stopped: {', '.join(result.data['stopped']) or 'nothing was running'}")
    for error in result.errors:
        show_error(errors, error)


def show_error(console: Console, error: StackctlError) -> None:
    """One message: what, where, what to do."""
    console.print("[red]error:[/] ", end="")
    _plain(console, str(error))
    if error.hint:
        _plain(console, f"  → {error.hint}")


def _plain(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _show_plan(console: Console, result: Result) -> None:
    if not result.plan and result.command != "down":
        _plain(console, "nothing to do: everything is as it should be")
    for operation in result.plan.operations:
        _plain(console, f"would {operation.text}  ({operation.cause})")
    if result.command == "down":
        _plain(console, f"would stop: {', '.join(result.data['stopped']) or 'nothing is running'}")


_SERVED_STYLES = {"real": "green", "dummy": "yellow", "other": "yellow", "nothing": "red"}


def _show_status(console: Console, data: dict[str, Any]) -> None:
    _plain(console, f"project {data['project']}, proxy {data['proxy']}")
    if not data["apps"]:
        _plain(console, "no apps yet: add one with 'stackctl add-app DOMAIN'")
        return
    rows = [_TITLES, *(_status_row(row) for row in data["apps"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES) - 1)]
    # Padded by hand: at a thousand apps a table that measures every cell for wrapping takes seconds.
    for row in rows:
        cells = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        style = _SERVED_STYLES.get(row[-1], "bold")
        console.print(Text.assemble(f"{cells}  ", (row[-1], style)), soft_wrap=True)


_TITLES = ("APP", "ALIASES", "UPSTREAM", "HEALTH", "ISSUER", "NOT AFTER", "DAYS", "SERVED")


def _status_row(row: dict[str, Any]) -> tuple[str, ...]:
    return (
        row["app"],
        ", ".join(row["aliases"]) or "-",
        row["upstream"],
        row["health"],
        row["certificate_problem"] or row["issuer"] or "-",
        (row["not_after"] or "-")[:10],
        "-" if row["days_left"] is None else str(row["days_left"]),
        row["served"],
    )
