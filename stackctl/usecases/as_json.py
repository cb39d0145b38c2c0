"""Converts results to the objects that ``--output json`` prints; docs/reference/json-output.md documents them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from stackctl.errors import StackctlError
from stackctl.usecases.result import Result
from stackctl.wording import iso

VERSION = 1
"""The version of the format: removing a key or changing its meaning increases it, adding a key does not."""


def result_object(result: Result[object], notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the object of a command that ran; ``notes`` were reported during the run."""
    statuses = {id(step.operation): step.status for step in result.steps}
    shown = {
        "version": VERSION,
        "command": result.command,
        "ok": not result.errors,
        "changed": result.changed,
        "dry_run": result.dry_run,
        "operations": [
            {
                "kind": type(operation).__name__,
                "text": operation.text,
                "cause": operation.cause,
                "scope": operation.scope,
                "status": statuses.get(id(operation), "planned"),
            }
            for operation in result.plan.operations
        ],
        "errors": [error_object(error) for error in result.errors],
        "notes": [*notes, *result.notes],
        **payload_object(result.payload),
    }
    if result.dry_run:
        numbered = [(number, diff) for number, diffs in enumerate(result.diffs) for diff in diffs]
        shown["diffs"] = [
            {"operation": number, "path": diff.path, "status": diff.status, "diff": "\n".join(diff.lines)}
            for number, diff in [*((None, diff) for diff in result.edited), *numbered]
        ]
    return shown


def failure_object(command: str, error: StackctlError, notes: Sequence[str] = ()) -> dict[str, Any]:
    """Return the object of a command that failed without a result."""
    return {"version": VERSION, "command": command, "ok": False, "errors": [error_object(error)], "notes": [*notes]}


def error_object(error: StackctlError) -> dict[str, Any]:
    """Return the object of one error."""
    return {"code": int(error.code), "message": error.message, "where": error.where, "hint": error.hint}


def payload_object(payload: object) -> dict[str, Any]:
    """Return the keys that are specific to a command."""
    if payload is None:
        return {}
    assert is_dataclass(payload)
    return {one.metadata.get("json", one.name): _value(getattr(payload, one.name)) for one in fields(payload)}


def _value(value: object) -> Any:  # noqa: ANN401  (any JSON value)
    match value:
        case Enum():
            return value.value
        case None | bool() | int() | str():
            return value
        case datetime():
            return iso(value)
        case Mapping():
            return {str(key): _value(one) for key, one in value.items()}
        case tuple():
            return [_value(one) for one in value]
        case _:
            return payload_object(value)
