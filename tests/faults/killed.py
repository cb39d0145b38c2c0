"""``python -m tests.faults.killed K before|after PID -- COMMAND …``: kill a process at stackctl's K-th operation.

Every operation passes through the report, so the process kills itself there, as ``kill -9`` would, or the
process ``PID`` if it is not 0.
"""

from __future__ import annotations

import os
import signal
import sys

from stackctl.cli.main import app
from stackctl.cli.report import TextReport
from stackctl.plan.operation import Operation
from tests.e2e.helpers import wait_until
from tests.faults.own_engine import gone


def main() -> None:
    """Run the command with the kill installed."""
    number, when, victim, command = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[5:]
    begin, end = TextReport.begin, TextReport.end
    # By identity: the end of an operation is reported twice if the proxy rejects it later.
    begun: list[int] = []
    ended: list[int] = []

    def fused_begin(self: TextReport, operation: Operation) -> None:
        begun.append(id(operation))
        if when == "before" and len(begun) == number:
            _kill(victim)
        begin(self, operation)

    def fused_end(self: TextReport, operation: Operation, error: str | None) -> None:
        end(self, operation, error)
        if id(operation) not in ended:
            ended.append(id(operation))
        if when == "after" and len(ended) == number:
            _kill(victim)

    TextReport.begin = fused_begin  # type: ignore[method-assign]
    TextReport.end = fused_end  # type: ignore[method-assign]
    sys.argv = ["stackctl", *command]
    app()


def _kill(victim: int) -> None:
    os.kill(victim or os.getpid(), signal.SIGKILL)
    wait_until(lambda: gone(victim), 20, "the process has ended")


if __name__ == "__main__":
    main()
