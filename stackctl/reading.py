"""Read files that anybody may have put there: only regular ones, and only up to a size."""

from __future__ import annotations

import errno
import os
import select
import stat
import time
from pathlib import Path

LARGEST = 64 * 1024 * 1024
"""The largest file that is read whole, in bytes; an archive is read in parts."""


def read_regular(path: Path, most: int = LARGEST) -> bytes:
    """Return the content of a file; a link is followed.

    Raises:
        OSError: it does not exist, is no regular file (a pipe or a device would be read for ever), or is too large.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        found = os.fstat(descriptor)
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        if found.st_size > most:
            raise _too_large(path, most)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return _bounded(file.read(most + 1), path, most)
    finally:
        os.close(descriptor)


def read_patiently(path: Path, most: int = LARGEST, seconds: float = 10.0) -> bytes:
    """Return the content of a file that the user named, or what a pipe such as ``<(command)`` has within ``seconds``.

    Raises:
        OSError: it cannot be read, is neither a file nor a pipe, is too large, or nothing arrives.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    try:
        if not stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            return read_regular(path, most)
        content, end = b"", time.monotonic() + seconds
        while len(content) <= most:
            left = end - time.monotonic()
            if left <= 0 or not select.select([descriptor], [], [], left)[0]:
                raise TimeoutError(errno.ETIMEDOUT, "nothing is written to this pipe", str(path))
            part = os.read(descriptor, most + 1)
            if not part:
                break
            content += part
        return _bounded(content, path, most)
    finally:
        os.close(descriptor)


def is_text(name: str) -> bool:
    """Return whether the name of a file is UTF-8; Python keeps other bytes as surrogates (PEP 383)."""
    return not any("\ud800" <= char <= "\udfff" for char in name)


def read_given(path: Path, most: int = LARGEST) -> bytes:
    """Return the content of a file that the user named: it may be a pipe, as ``<(command)`` of a shell is.

    Raises:
        OSError: it cannot be read, or is too large.
    """
    with path.open("rb") as file:
        return _bounded(file.read(most + 1), path, most)


def _bounded(content: bytes, path: Path, most: int) -> bytes:
    if len(content) > most:
        raise _too_large(path, most)
    return content


def _too_large(path: Path, most: int) -> OSError:
    return OSError(errno.EFBIG, f"it is larger than {most // 1024} KiB", str(path))
