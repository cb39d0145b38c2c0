"""Cache the lineages read from certbot's files while the files are unchanged.

Reading a thousand certificates and checking that each key matches takes longer than everything else a
command does on disk. A file counts as unchanged while its inode, size and times are, as for git.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import msgspec

from stackctl import __version__
from stackctl.adapters.disk.files import write_whole
from stackctl.certs.lineage import Lineage
from stackctl.reading import read_regular

_SETTLED = 2.0
"""Seconds: a file that changed later than this might change again and show the same times (coarse clocks)."""

Signature = tuple[tuple[int, ...] | None, ...]


class _Known(msgspec.Struct, frozen=True):
    signature: Signature
    lineage: Lineage


class _File(msgspec.Struct, frozen=True):
    version: str
    known: dict[str, _Known]


class LineageCache:
    """The cache file, which may be missing, damaged or not writable: then everything is read again."""

    def __init__(self, file: Path) -> None:
        self._file = file
        try:
            kept = msgspec.json.decode(read_regular(file), type=_File)
        except (OSError, ValueError, RecursionError):
            kept = _File(__version__, {})
        # Another version of stackctl may evaluate the same files differently.
        self._known = kept.known if kept.version == __version__ else {}
        self._fresh = dict(self._known)

    def get(self, name: str, paths: Sequence[str], read: Callable[[str], Lineage]) -> Lineage:
        """Return the lineage ``name``, by ``read`` if the files at ``paths`` have changed."""
        signature = tuple(map(_signature, paths))
        known = self._known.get(name)
        if known is not None and known.signature == signature:
            return known.lineage
        lineage = read(name)
        if all(one is not None and max(one[-2:]) / 1e9 < time.time() - _SETTLED for one in signature):
            self._fresh[name] = _Known(signature, lineage)
        return lineage

    def keep(self, names: Collection[str]) -> None:
        """Store the lineages ``names``, and drop the others."""
        fresh = {name: self._fresh[name] for name in names if name in self._fresh}
        if fresh != self._known:
            try:
                self._file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(self._file, msgspec.json.encode(_File(__version__, fresh)), 0o600)
            except OSError:
                return
        self._known = fresh


def _signature(path: str) -> tuple[int, ...] | None:
    """Return the facts that change with a file or, for a link, with its target."""
    try:
        itself, there = os.lstat(path), os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return (itself.st_ino, there.st_dev, there.st_ino, there.st_size, there.st_mtime_ns, there.st_ctime_ns)
