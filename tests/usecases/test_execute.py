"""The executor keeps to the batches and the dependencies that a plan names."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from stackctl.engine.apply.execute import Executor
from stackctl.engine.apply.handlers import Errors
from stackctl.errors import StackctlError
from stackctl.observed.state import Observed
from stackctl.plan.operation import Operation, Plan
from stackctl.usecases.converge import load_current
from tests.usecases.world import World, done


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark(Operation):
    """Does nothing, or fails."""

    name: str
    fails: bool = False

    @property
    def text(self) -> str:
        return self.name


@pytest.fixture
def run(world: World) -> Run:
    done(world.init())
    return Run(world)


class Run:
    """Runs plans of marks, and keeps which of them were carried out together."""

    def __init__(self, world: World) -> None:
        loaded = load_current(world.host)
        observed = Observed(stackfile=None, project=loaded.project, version=(1, 30))
        self.together: list[str] = []
        self._executor = Executor(world.host, loaded.stack, observed, {Mark: self._carry_out})

    def _carry_out(self, marks: Sequence[Mark]) -> Errors:
        self.together.append(" ".join(mark.name for mark in marks))
        return [StackctlError(mark.name) if mark.fails else None for mark in marks]

    def __call__(self, *marks: Mark) -> list[tuple[str, str]]:
        return [(step.operation.text, step.status) for step in self._executor.run(Plan(marks))]


def mark(
    name: str,
    *,
    scope: str | None = "own",
    fails: bool = False,
    batch: str | None = None,
    needs_one: frozenset[str] = frozenset(),
) -> Mark:
    return Mark(name=name, cause="", scope=scope, fails=fails, batch=batch, needs_one=needs_one)


def test_neighbours_without_a_batch_are_carried_out_one_by_one(run: Run) -> None:
    assert run(mark("a"), mark("b")) == [("a", "done"), ("b", "done")]
    assert run.together == ["a", "b"]


def test_a_batch_stays_together_wherever_its_members_are(run: Run) -> None:
    made = run(mark("a", batch="x"), mark("b"), mark("c", batch="y"), mark("d", batch="x"), mark("e", batch="y"))
    assert run.together == ["a d", "b", "c e"]
    assert made == [(name, "done") for name in "abcde"], "the steps are in the order of the plan"


def test_an_operation_that_needs_one_of_several_is_skipped_when_all_failed(run: Run) -> None:
    both = frozenset({"one", "two"})
    made = run(
        mark("a", scope="one", fails=True),
        mark("b", scope=None, needs_one=both),
        mark("c", scope="two", fails=True),
        mark("d", scope=None, needs_one=both),
    )
    assert made == [("a", "failed"), ("b", "done"), ("c", "failed"), ("d", "skipped")]


def test_of_a_batch_only_what_depends_on_a_failure_is_skipped(run: Run) -> None:
    made = run(mark("a", scope="one", fails=True), mark("b", scope="one", batch="x"), mark("c", scope="two", batch="x"))
    assert made == [("a", "failed"), ("b", "skipped"), ("c", "done")]
    assert run.together == ["a", "c"]
