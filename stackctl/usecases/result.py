"""What a command returns: how it went, and a payload of its own type with what the user asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from stackctl.engine.apply.execute import Step
from stackctl.errors import ExitCode, StackctlError
from stackctl.plan.diff import FileDiff
from stackctl.plan.operation import Plan

P_co = TypeVar("P_co", covariant=True)
Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class Result(Generic[P_co]):
    """How a command ended.

    Attributes:
        payload: what the command was asked for, a frozen dataclass; None where the rest says it all.
        plan: what was to be done.
        steps: how each operation ended; empty for a dry run.
        diffs: for each operation of a dry run, the files it would change.
        edited: what the user has edited since the last change, which the plan therefore is about.
        notes: what the user should know besides.
        acted: whether something was done that is no operation.
        found: the exit code where nothing failed, but what was found ends the command with another than 0.
    """

    command: str
    payload: P_co
    plan: Plan = field(default_factory=Plan)
    steps: tuple[Step, ...] = ()
    dry_run: bool = False
    diffs: tuple[tuple[FileDiff, ...], ...] = ()
    edited: tuple[FileDiff, ...] = ()
    notes: tuple[str, ...] = ()
    acted: bool = False
    found: ExitCode = ExitCode.OK

    def carrying(self, payload: Q) -> Result[Q]:
        """Return the same with another payload."""
        return Result(
            self.command,
            payload,
            self.plan,
            self.steps,
            self.dry_run,
            self.diffs,
            self.edited,
            self.notes,
            self.acted,
            self.found,
        )

    @property
    def errors(self) -> list[StackctlError]:
        """Every failure, in the order they came."""
        return [step.error for step in self.steps if step.error is not None]

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return self.acted or any(step.status == "done" for step in self.steps)

    @property
    def code(self) -> ExitCode:
        """The exit code: that of the first failure."""
        return self.errors[0].code if self.errors else self.found


def json_name(key: str) -> Mapping[str, str]:
    """Metadata of a payload's field whose key in JSON is not its name."""
    return {"json": key}
