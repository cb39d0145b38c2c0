"""One stackctl at a time on one stack. The kernel drops the lock with its process, so none goes stale."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import psutil

from stackctl.engine.disk import host_errors
from stackctl.errors import Locked

_POLL_SECONDS = 0.1


@contextmanager
def locked(
    path: Path, command: str, now: Callable[[], datetime], note: Callable[[str], None], wait: float
) -> Iterator[None]:
    """Hold the stack's lock, waiting up to ``wait`` seconds for another holder.

    Raises:
        Locked: somebody still holds it; the message says who.
    """
    with host_errors():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        _acquire(descriptor, note, wait)
        left_behind = _holder(descriptor)
        if left_behind:
            note(f"{left_behind} ended without finishing; going on from what is there")
        _record(descriptor, {"pid": os.getpid(), "command": command, "since": now().isoformat(timespec="seconds")})
        try:
            yield
        finally:
            _record(descriptor, None)  # only a process that was killed leaves its name behind
    finally:
        os.close(descriptor)


def _acquire(descriptor: int, note: Callable[[str], None], wait: float) -> None:
    deadline = time.monotonic() + wait
    told = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(descriptor) or "another stackctl"
            if time.monotonic() >= deadline:
                raise Locked(
                    f"{holder} is at work on this stack", hint="wait for it, or pass --wait SECONDS"
                ) from error
            if not told:
                note(f"waiting for {holder}")
                told = True
            time.sleep(_POLL_SECONDS)
        else:
            return


def _holder(descriptor: int) -> str | None:
    """Who wrote itself into the lock file last, in words; None where it left it clean."""
    try:
        text = os.pread(descriptor, 4096, 0).decode("utf-8", "replace")
        holder = json.loads(text)
        pid, command, since = int(holder["pid"]), str(holder["command"]), str(holder["since"])
    except (ValueError, KeyError, TypeError):
        return None
    alive = "" if psutil.pid_exists(pid) else ", no longer there"
    return f"'stackctl {command}' (pid {pid}{alive}, since {since})"


def _record(descriptor: int, holder: dict[str, object] | None) -> None:
    with host_errors():
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"" if holder is None else json.dumps(holder).encode(), 0)
