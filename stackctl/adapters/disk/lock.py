"""Lock a stack for one stackctl at a time. The kernel releases the lock with its process, so none goes stale."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from stackctl.adapters.disk.files import host_errors, make_folder, open_new
from stackctl.errors import HostError, Locked
from stackctl.times import believable, read_time
from stackctl.wording import moment

_POLL_SECONDS = 0.1
_NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP}
"""What a network file system without a lock service reports."""


@dataclass(frozen=True, slots=True)
class Holder:
    """The process recorded in a lock file; ``alive`` says whether it still runs, ``since`` is None if it is unknown."""

    pid: int
    command: str
    since: datetime | None
    alive: bool

    def __str__(self) -> str:
        alive = "" if self.alive else ", no longer running"
        since = f", since {moment(self.since)}" if self.since else ""
        return f"'stackctl {self.command}' (pid {self.pid}{alive}{since})"


def last_holder(path: Path, now: datetime) -> Holder | None:
    """Return the process that holds the lock in ``path``, or held it until it was killed; else None."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return _holder(descriptor, now)
    finally:
        os.close(descriptor)


@contextmanager
def locked(
    path: Path, command: str, now: Callable[[], datetime], note: Callable[[str], None], wait: float
) -> Iterator[None]:
    """Hold the stack's lock, waiting up to ``wait`` seconds for another holder.

    Its folder is removed again if it was made for this, and nothing else is in it: a command that is refused before it
    writes anything leaves nothing behind.

    Raises:
        Locked: another process still holds it; the message names the process.
    """
    made = not path.parent.exists()
    descriptor = _held(path, now, note, wait)
    try:
        left_behind = _holder(descriptor, now())
        if left_behind:
            note(f"{left_behind} ended before it finished; continuing from the current state")
        _record(descriptor, {"pid": os.getpid(), "command": command, "since": now().isoformat(timespec="seconds")})
        try:
            yield
        finally:
            _record(descriptor, None)  # only a process that was killed leaves its record
            if made:
                _remove_unused(path)
    finally:
        os.close(descriptor)


@contextmanager
def writing(folders: Iterable[Path]) -> Iterator[None]:
    """Show programs in containers that stackctl decides what is in ``folders``, while it runs; others may do so too.

    A folder that does not exist, or whose file system has no locks, is left out.
    """
    with ExitStack() as stack:
        for folder in folders:
            with suppress(OSError):
                descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
                stack.callback(os.close, descriptor)
                _share(descriptor)
        yield


def _share(descriptor: int) -> None:
    """Lock with others. A container that looks whether there is a lock holds one for a moment."""
    deadline = time.monotonic() + 1
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_POLL_SECONDS / 10)
        else:
            return


def _held(path: Path, now: Callable[[], datetime], note: Callable[[str], None], wait: float) -> int:
    """Return the locked file, which is the one at ``path``: its last holder may have removed it."""
    while True:
        with host_errors():
            make_folder(path.parent, 0o700)
            descriptor = _opened(path)
        try:
            _acquire(descriptor, now, note, wait)
            if os.fstat(descriptor).st_nlink:
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _remove_unused(path: Path) -> None:
    with suppress(OSError):
        if list(path.parent.iterdir()) == [path]:
            path.unlink()
            path.parent.rmdir()


def _opened(path: Path) -> int:
    with suppress(FileExistsError):
        return open_new(path)
    return os.open(path, os.O_RDWR | os.O_CLOEXEC)


def _acquire(descriptor: int, now: Callable[[], datetime], note: Callable[[str], None], wait: float) -> None:
    deadline = time.monotonic() + wait
    noted = False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(descriptor, now()) or "another stackctl"
            if time.monotonic() >= deadline:
                raise Locked(
                    f"{holder} is running on this stack",
                    hint="run the command again when it has ended; 'stackctl … --wait SECONDS' waits longer",
                ) from error
            if not noted:
                note(f"waiting for {holder}")
                noted = True
            time.sleep(_POLL_SECONDS)
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise HostError(f"the stack cannot be locked: {error.strerror}") from error
            note("this file system has no locks: run no other stackctl command on this stack meanwhile")
            return
        else:
            return


def _holder(descriptor: int, now: datetime) -> Holder | None:
    try:
        text = os.pread(descriptor, 4096, 0).decode("utf-8", "replace")
        holder = json.loads(text)
        pid, command, since = int(holder["pid"]), str(holder["command"]), read_time(holder["since"])
        alive = psutil.pid_exists(pid)
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    return Holder(pid, command, since if believable(since, now) else None, alive)


def _record(descriptor: int, holder: dict[str, object] | None) -> None:
    with host_errors():
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, b"" if holder is None else json.dumps(holder).encode(), 0)
