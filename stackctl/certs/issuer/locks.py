"""The two locks of the batch issuer: certbot's own, and one among issuers.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


CONFIG_LOCK = ".certbot.lock"
"""Certbot's own lock file in its configuration directory."""


@contextlib.contextmanager
def config_lock(root: Path) -> Iterator[bool]:
    """Certbot's own lock on its configuration, taken as certbot takes it. False: another has it."""
    path = root / CONFIG_LOCK
    held = False
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # certbot removes the file before it lets go of it: this may be one that is gone.
            held = os.path.samestat(os.fstat(fd), path.stat())
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN, errno.ENOENT):
                raise
        try:
            yield held
        finally:
            if held:
                path.unlink()
    finally:
        os.close(fd)


@contextlib.contextmanager
def only_one(home: Path, patience: float, note: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other issuer works here; its children count, as they inherit the lock."""
    home.mkdir(0o700, exist_ok=True)
    with (home / "lock").open("a") as file:
        end = time.monotonic() + patience
        waited = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > end:
                    raise
            if not waited:
                note("another issuer works here: waiting for it to end")
            waited = True
            time.sleep(0.1)
        yield
