"""Handlers: each executes the operations of one kind, one batch at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stackctl.errors import StackctlError
from stackctl.plan.operation import Operation

Errors = Sequence[StackctlError | None]
"""The error of each operation of a batch, in order; None if it succeeded."""

Handler = Callable[[Sequence[Any]], Errors]
"""Executes operations of its kind. It may raise a StackctlError that stops all of them."""

Handlers = Mapping[type[Operation], Handler]
"""The handler of each kind of operation; the kinds in one batch share one."""


def one_by_one(execute: Callable[[Any], None]) -> Handler:
    """Return a handler that executes each operation separately."""

    def handle(operations: Sequence[Any]) -> Errors:
        return [_error_of(execute, operation) for operation in operations]

    return handle


def _error_of(execute: Callable[[Any], None], operation: Operation) -> StackctlError | None:
    try:
        execute(operation)
    except StackctlError as error:
        return error
    return None


def run_together(handlers: Handlers, operations: Sequence[Operation]) -> Errors:
    """Execute the operations of one batch, and return their errors; an error that stops the batch applies to each."""
    handler = handlers[type(operations[0])]
    assert all(handlers[type(operation)] == handler for operation in operations), "a batch has one handler"
    try:
        return handler(operations)
    except StackctlError as error:
        return [error] * len(operations)
