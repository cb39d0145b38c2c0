"""Reports the progress of a command: a spinner on a terminal, plain lines elsewhere, nothing in JSON."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from rich.console import Console

from stackctl.cli.console import plain, styled
from stackctl.plan.operation import Operation

if TYPE_CHECKING:
    from rich.status import Status


class TextReport:
    """Prints each step when it ends; on a terminal, also the current step."""

    def __init__(self, console: Console, *, verbose: bool) -> None:
        self._console = console
        self._verbose = verbose
        self._started: dict[int, float] = {}
        self._together = 0
        self._status: Status | None = None
        self.notes: list[str] = []

    def begin(self, operation: Operation) -> None:
        """See :meth:`Report.begin`."""
        self._together = 1 if not self._started else self._together + 1
        self._started[id(operation)] = time.monotonic()
        if self._console.is_terminal:
            self._stop()
            self._status = self._console.status(styled(f"{operation.text} …"))
            self._status.start()

    def end(self, operation: Operation, error: str | None) -> None:
        """See :meth:`Report.end`."""
        self._stop()
        started = self._started.pop(id(operation), None)
        if started is None:
            # The operation had succeeded, but its files were not published.
            self._line("✗", "red", f"not published, the site is unchanged: {operation.text}")
            return
        why = f" because {operation.cause}" if self._verbose else ""
        took = "" if self._started else self._took(time.monotonic() - started)
        mark, style = ("✓", "green") if error is None else ("✗", "red")
        self._line(mark, style, f"{operation.text}{why}{took}")

    def note(self, text: str) -> None:
        """See :meth:`Report.note`."""
        self.notes.append(text)
        self._line("·", "cyan", text)

    def progress(self, text: str) -> None:
        """See :meth:`Report.progress`; it is shown on a terminal only."""
        if self._status is not None:
            self._status.update(styled(f"{text} …"))

    def close(self) -> None:
        """Remove the spinner."""
        self._stop()

    def _took(self, seconds: float) -> str:
        """Return the duration of the operations that ran together; that of each one is not known."""
        if seconds < 0.1:
            return ""
        return f" ({seconds:.1f} s)" if self._together == 1 else f" ({self._together} together in {seconds:.1f} s)"

    def _stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None

    def _line(self, mark: str, style: str, text: str) -> None:
        # In one call: the spinner is redrawn after each print, over an unfinished line.
        plain(self._console, (mark, style), f" {text}")


class SilentReport:
    """Collects the notes for the JSON object."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def begin(self, operation: Operation) -> None:
        """See :meth:`Report.begin`."""

    def end(self, operation: Operation, error: str | None) -> None:
        """See :meth:`Report.end`."""

    def note(self, text: str) -> None:
        """See :meth:`Report.note`."""
        self.notes.append(text)

    def progress(self, text: str) -> None:
        """See :meth:`Report.progress`."""

    def close(self) -> None:
        """See :meth:`Report.close`."""
