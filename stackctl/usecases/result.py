"""The result of a command: its outcome, and a typed payload with the requested data."""

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
    """The outcome of a command.

    Attributes:
        payload: the requested data, a frozen dataclass; None if the other attributes say everything.
        plan: the planned operations.
        steps: the outcome of each operation; empty for a dry run.
        diffs: the files that each operation of a dry run would change.
        edited: the user's edits since the last recorded change, which the plan applies.
        notes: further notes for the user.
        acted: whether something changed that no operation covers.
        found: the exit code if nothing failed; not 0 if the command reports findings.
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
        """Return the same result with another payload."""
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
        """Return every failure, in order."""
        return [step.error for step in self.steps if step.error is not None]

    @property
    def changed(self) -> bool:
        """Return whether anything was changed."""
        return self.acted or any(step.status == "done" for step in self.steps)

    @property
    def code(self) -> ExitCode:
        """Return the exit code: that of the first failure, otherwise ``found``."""
        return self.errors[0].code if self.errors else self.found


def json_name(key: str) -> Mapping[str, str]:
    """Return the metadata of a payload's field whose JSON key differs from its name."""
    return {"json": key}
