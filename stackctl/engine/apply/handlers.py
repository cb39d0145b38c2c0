"""Handlers: what carries out the operations of one kind, or of one batch together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stackctl.errors import StackctlError
from stackctl.plan.operation import Operation

Errors = Sequence[StackctlError | None]
"""How each operation of a batch ended, in their order."""

Handler = Callable[[Sequence[Any]], Errors]
"""Carries out operations of its kind. What stops all of them it may raise as a StackctlError."""

Handlers = Mapping[type[Operation], Handler]
"""The handler of each kind of operation; those of one batch share one."""


def one_by_one(carry_out: Callable[[Any], None]) -> Handler:
    """Return a handler that carries out each operation by itself."""

    def handle(operations: Sequence[Any]) -> Errors:
        return [_error_of(carry_out, operation) for operation in operations]

    return handle


def _error_of(carry_out: Callable[[Any], None], operation: Operation) -> StackctlError | None:
    try:
        carry_out(operation)
    except StackctlError as error:
        return error
    return None


def run_together(handlers: Handlers, operations: Sequence[Operation]) -> Errors:
    """Carry out the operations of one batch; what stops the batch is the error of each of them."""
    handler = handlers[type(operations[0])]
    assert all(handlers[type(operation)] == handler for operation in operations), "a batch has one handler"
    try:
        return handler(operations)
    except StackctlError as error:
        return [error] * len(operations)
