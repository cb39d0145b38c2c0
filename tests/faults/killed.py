"""``python -m tests.faults.killed K before|after -- COMMAND …``: stackctl, killed at its K-th operation.

Every operation passes through the report, so that is where the process ends itself, as ``kill -9`` would.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import NoReturn

from stackctl.cli.main import app
from stackctl.cli.report import TextReport
from stackctl.plan.operations import Operation


def main() -> None:
    """Run the command with a fuse in it."""
    number, when, command = int(sys.argv[1]), sys.argv[2], sys.argv[4:]
    begin, end = TextReport.begin, TextReport.end
    # By identity: a report may tell an operation's end twice, when the proxy refuses it later on.
    begun: list[int] = []
    ended: list[int] = []

    def fused_begin(self: TextReport, operation: Operation) -> None:
        begun.append(id(operation))
        if when == "before" and len(begun) == number:
            _die()
        begin(self, operation)

    def fused_end(self: TextReport, operation: Operation, error: str | None) -> None:
        end(self, operation, error)
        if id(operation) not in ended:
            ended.append(id(operation))
        if when == "after" and len(ended) == number:
            _die()

    TextReport.begin = fused_begin  # type: ignore[method-assign]
    TextReport.end = fused_end  # type: ignore[method-assign]
    sys.argv = ["stackctl", *command]
    app()


def _die() -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


if __name__ == "__main__":
    main()
