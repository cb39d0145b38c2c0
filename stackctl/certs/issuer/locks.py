"""The two locks of the batch issuer: certbot's own, and one between issuers.

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
    """Take certbot's own lock on its configuration, as certbot does; yield False if another process holds it."""
    path = root / CONFIG_LOCK
    held = False
    fd = os.open(path, os.O_CREAT | os.O_WRONLY, 0o600)
    try:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # certbot removes the file before it releases the lock: this may be a removed file.
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
def config_lock_within(root: Path, patience: float) -> Iterator[bool]:
    """Take certbot's own lock as soon as it is free; yield False if it is not within ``patience`` seconds."""
    end = time.monotonic() + patience
    while True:
        with config_lock(root) as held:
            if held or time.monotonic() > end:
                yield held
                return
        time.sleep(0.1)


@contextlib.contextmanager
def only_one(home: Path, patience: float, note: Callable[[str], None]) -> Iterator[None]:
    """Wait until no other issuer, nor a child that inherited its lock, is running in ``home``."""
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
                note(f"another issuer is running in {home.parent}: waiting for it to end")
            waited = True
            time.sleep(0.1)
        yield
