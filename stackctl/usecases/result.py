"""What a command comes back with; the CLI prints it as text or JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from stackctl.engine.apply.execute import Step
from stackctl.errors import ExitCode, StackctlError
from stackctl.plan.diff import FileDiff
from stackctl.plan.operation import Plan


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended.

    Attributes:
        plan: what was to be done.
        steps: how each operation ended; empty for a dry run.
        diffs: for each operation of a dry run, the files it would change.
        edited: what a person has edited since the last change, which the plan therefore is about.
        notes: what a person should know besides.
        acted: whether something was done that is no operation.
        found: the exit code where nothing failed, but what was found ends the command with another than 0.
        data: what the command was asked for, in JSON's types; documented for each command.
    """

    command: str
    plan: Plan = field(default_factory=Plan)
    steps: tuple[Step, ...] = ()
    dry_run: bool = False
    diffs: tuple[tuple[FileDiff, ...], ...] = ()
    edited: tuple[FileDiff, ...] = ()
    notes: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)
    acted: bool = False
    found: ExitCode = ExitCode.OK

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
