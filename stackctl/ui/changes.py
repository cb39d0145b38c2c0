"""What a button does: a change is planned, shown, confirmed and applied, as the command that it stands for does it."""

from __future__ import annotations

import secrets
import shlex
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from threading import Lock, Thread
from typing import Any, Generic, TypeVar

from stackctl.engine.context import Context, Report
from stackctl.errors import InputError, StackctlError
from stackctl.plan.operation import Operation
from stackctl.ui.feed import Feed
from stackctl.usecases.result import Result
from stackctl.usecases.session import PROGRAM, exclusive

FROM_PAGE = "# from the page"
"""What ends the command in the history and in the lock; a shell takes it for a comment."""

_KEPT = 50
"""How many drafts, and how many jobs, are kept: the oldest go."""

K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Change:
    """A change that a button requests.

    Attributes:
        title: what it does, as a heading: ``Deploy shop.example.com``.
        argv: the words of the command after ``stackctl``.
        run: the use case; with True it only returns its plan.
        back: the page to go on to.
        beyond: what it does that no plan shows; None if the plan is everything.
    """

    title: str
    argv: tuple[str, ...]
    run: Callable[[Context, bool], Result[Any]]
    back: str = "/"
    beyond: str | None = None

    @property
    def command(self) -> str:
        """The command that it stands for."""
        return shlex.join((PROGRAM, *self.argv))


@dataclass(frozen=True, slots=True)
class Draft:
    """A change with its plan, which waits for a confirmation."""

    id: str
    change: Change
    result: Result[Any]

    @property
    def acts(self) -> bool:
        """Whether there is something to confirm."""
        return bool(self.result.plan) or self.change.beyond is not None


@dataclass(slots=True)
class Job:
    """A change that is applied.

    Attributes:
        feed: its steps as they happen, in HTML.
        steps: each step by its number: its state and its text.
        result: how it ended; or ``error``.
    """

    id: str
    change: Change
    feed: Feed[str] = field(default_factory=Feed)
    result: Result[Any] | None = None
    error: StackctlError | None = None
    steps: dict[int, tuple[str, str]] = field(default_factory=dict)

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.result is None and self.error is None

    @property
    def seen(self) -> tuple[tuple[int, tuple[str, str]], ...]:
        """The steps until now."""
        return tuple(self.steps.items())

    @property
    def failed(self) -> bool:
        """Whether something that was asked for did not happen."""
        return self.error is not None or (self.result is not None and bool(self.result.errors))


class Silent(Report):
    """Discards the progress of commands that only look."""

    def begin(self, operation: Operation) -> None:
        """See :meth:`Report.begin`."""

    def end(self, operation: Operation, error: str | None) -> None:
        """See :meth:`Report.end`."""

    def note(self, text: str) -> None:
        """See :meth:`Report.note`."""

    def progress(self, text: str) -> None:
        """See :meth:`Report.progress`."""


class Steps(Report):
    """Publishes the steps of a job as HTML: ``render`` makes it from the state of a step, its number and its text."""

    def __init__(self, job: Job, render: Callable[[str, int, str], str]) -> None:
        self._job = job
        self._render = render
        self._numbers: dict[int, int] = {}
        self._last = (0, "")

    def begin(self, operation: Operation) -> None:
        """See :meth:`Report.begin`."""
        self._numbers[id(operation)] = self._show("running", operation.text)
        self._last = (self._numbers[id(operation)], operation.text)

    def end(self, operation: Operation, error: str | None) -> None:
        """See :meth:`Report.end`; one that had succeeded ends again if its files were not published."""
        number = self._numbers.pop(id(operation), None)
        text = operation.text if error is None else f"{operation.text}: {error}"
        self._show("done" if error is None else "failed", text, number)

    def note(self, text: str) -> None:
        """See :meth:`Report.note`."""
        self._show("note", text)

    def progress(self, text: str) -> None:
        """See :meth:`Report.progress`; it is shown with the step that began last."""
        number, operation = self._last
        if number in self._numbers.values():
            self._show("running", f"{operation}: {text}", number)

    def _show(self, state: str, text: str, number: int | None = None) -> int:
        number = len(self._job.steps) + 1 if number is None else number
        self._job.steps[number] = (state, text)
        self._job.feed.publish(self._render(state, number, text))
        return number


class Kept(Generic[K]):
    """Values by ids that cannot be guessed; the oldest go."""

    def __init__(self) -> None:
        self._values: OrderedDict[str, K] = OrderedDict()
        self._lock = Lock()

    def __getitem__(self, key: str) -> K:
        """Return the value of an id.

        Raises:
            InputError: there is none.
        """
        with self._lock:
            if key in self._values:
                return self._values[key]
        raise InputError("this plan or change is not known any more", hint="start again from the page that it was for")

    def add(self, make: Callable[[str], K]) -> K:
        """Keep what ``make`` returns for a new id."""
        key = secrets.token_urlsafe(12)
        value = make(key)
        with self._lock:
            self._values[key] = value
            while len(self._values) > _KEPT:
                self._values.popitem(last=False)
        return value

    @property
    def all(self) -> tuple[K, ...]:
        """Return all, the oldest first."""
        with self._lock:
            return tuple(self._values.values())


class Desk:
    """Plans changes and applies them, each in a thread of its own: a browser that goes away changes nothing about it.

    ``open_stack`` returns a context for a report and a command line, ``render`` is that of :class:`Steps`, ``ended`` is
    called when a job has ended.
    """

    def __init__(
        self,
        open_stack: Callable[[Report, str], Context],
        render: Callable[[str, int, str], str],
        ended: Callable[[], None],
        wait: float,
    ) -> None:
        self._open = open_stack
        self._render = render
        self._ended = ended
        self._wait = wait
        self.drafts: Kept[Draft] = Kept()
        self.jobs: Kept[Job] = Kept()
        self._threads: list[Thread] = []

    @property
    def running(self) -> tuple[Job, ...]:
        """The changes that go on."""
        return tuple(job for job in self.jobs.all if job.running)

    def plan(self, change: Change, report: Report) -> Draft:
        """Return a change with its plan.

        Raises:
            StackctlError: it cannot be planned.
        """
        result = change.run(self._open(report, _recorded(change)), True)  # noqa: FBT003  (a dry run)
        return self.drafts.add(lambda key: Draft(key, change, result))

    def apply(self, draft: Draft) -> Job:
        """Start to apply a change as its plan was shown, and return at once."""
        job = self.jobs.add(lambda key: Job(key, draft.change))
        thread = Thread(target=self._work, args=(job, draft), daemon=True, name=draft.change.command)
        self._threads = [*(one for one in self._threads if one.is_alive()), thread]
        thread.start()
        return job

    def join(self) -> None:
        """Wait until no change goes on."""
        for thread in self._threads:
            thread.join()

    def _work(self, job: Job, draft: Draft) -> None:
        try:
            job.result = self._applied(job, draft)
        except StackctlError as error:
            job.error = error
        except Exception as error:  # noqa: BLE001  (a bug is reported as one message)
            job.error = StackctlError(f"internal error: {type(error).__name__}: {error}")
        self._ended()
        job.feed.close()

    def _applied(self, job: Job, draft: Draft) -> Result[Any]:
        change, steps = job.change, Steps(job, self._render)
        with exclusive(self._open(steps, _recorded(change)), self._wait):
            now = change.run(self._open(Silent(), _recorded(change)), True)  # noqa: FBT003
            if digest(now) != digest(draft.result):
                hint = "look at the plan as it is now, and confirm that"
                raise StackctlError(
                    "nothing was changed: the plan is another one than the one that was shown", hint=hint
                )
            return change.run(self._open(steps, _recorded(change)), False)  # noqa: FBT003


def digest(result: Result[Any]) -> str:
    """Return what distinguishes one plan from another: its operations and the changes to files."""
    return sha256(repr((str(result.plan), result.diffs)).encode("utf-8", "surrogateescape")).hexdigest()


def _recorded(change: Change) -> str:
    return f"{change.command}  {FROM_PAGE}"
