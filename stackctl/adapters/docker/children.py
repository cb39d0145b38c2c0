"""Run child processes that end with stackctl: one command at a time, each in a process group of its own.

A command such as ``docker compose`` starts further processes. A signal to stackctl alone does not reach them, so
they are ended as a group.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Thread

END_SECONDS = 5.0
"""How long a group has to end after SIGTERM, before SIGKILL."""

_one_at_a_time = Lock()
_groups: set[int] = set()


@dataclass(frozen=True, slots=True)
class Done:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str


def run(argv: Sequence[str], text: str | None = None, cwd: Path | None = None, timeout: float | None = None) -> Done:
    """Run a command to its end, with ``text`` as its input; a second one waits.

    Raises:
        OSError: it cannot be started.
        subprocess.TimeoutExpired: it was ended after ``timeout`` seconds.
    """
    with _one_at_a_time, started(argv, cwd, with_input=text is not None) as process:
        stdout, stderr = process.communicate(text, timeout)
        return Done(process.returncode, stdout, stderr)


@contextmanager
def started(argv: Sequence[str], cwd: Path | None = None, *, with_input: bool) -> Iterator[subprocess.Popen[str]]:
    """Start a command; it and all that it started are ended if the block is left by an exception."""
    starting: Future[subprocess.Popen[str]] = Future()
    thread = Thread(target=_start, args=(starting, argv, cwd), kwargs={"with_input": with_input})
    try:
        # A signal is raised in the main thread only: here it would leave a process behind that is not registered yet.
        thread.start()
        process = starting.result()
    except BaseException:
        thread.join()
        if starting.exception() is None:
            with starting.result() as left:
                _end(left)
        raise
    with process:
        _groups.add(process.pid)
        try:
            yield process
        except BaseException:
            _end(process)
            raise
        finally:
            _groups.discard(process.pid)


def _start(starting: Future[subprocess.Popen[str]], argv: Sequence[str], cwd: Path | None, *, with_input: bool) -> None:
    try:
        process = subprocess.Popen(  # noqa: S603  (an argv, never a shell)
            list(argv),
            stdin=subprocess.PIPE if with_input else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            cwd=cwd,
            process_group=0,
        )
    except BaseException as error:  # noqa: BLE001  (it is raised where the result is asked for)
        starting.set_exception(error)
    else:
        starting.set_result(process)


def kill_all() -> None:
    """Kill every command that still runs; for the moment before this process ends."""
    for group in list(_groups):
        _signal(group, signal.SIGKILL)


def _end(process: subprocess.Popen[str]) -> None:
    _signal(process.pid, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(END_SECONDS)
    _signal(process.pid, signal.SIGKILL)


def _signal(group: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
