"""The recorded states of a stack, so that the user can roll back to one.

.stackctl/history/0007/entry.json    the time, the command, and the changes
.stackctl/history/0007/files/…       copies of the files that the user writes, or of replaced files

An entry is written atomically. The last ten are kept; those of kind ``foreign`` do not count among
them and stay until the user deletes them: they are the only record of the stack before stackctl.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any, get_args

from stackctl.adapters.disk.files import (
    draft_path,
    host_errors,
    make_folder,
    new_folder,
    open_new,
    remove_drafts,
    sync_directory,
)
from stackctl.errors import HostError, InputError
from stackctl.model.history import HistoryEntry, HistoryKind
from stackctl.reading import read_regular
from stackctl.times import read_time

KEPT = 10
_ENTRY = "entry.json"
_FILES = "files"
_UNFINISHED = ".*"
_DROPPED = ".dropped"


class History:
    """The entries below ``root``. Every method raises :class:`HostError` on a file system error."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def entries(self) -> list[HistoryEntry]:
        """Return every entry, the oldest first; unreadable ones are skipped."""
        read = (_read(folder) for folder in self._folders())
        return [entry for entry in read if entry is not None]

    def unreadable(self) -> tuple[int, ...]:
        """Return the numbers of the entries that this user may not read."""
        return tuple(int(folder.name) for folder in self._folders() if not os.access(folder, os.R_OK | os.X_OK))

    def last(self) -> HistoryEntry | None:
        """Return the newest entry, or None."""
        for folder in reversed(self._folders()):
            entry = _read(folder)
            if entry is not None:
                return entry
        return None

    def entry(self, number: int) -> HistoryEntry:
        """Return the entry with a number.

        Raises:
            InputError: there is none; the message lists the existing numbers.
        """
        found = self.entries()
        for entry in found:
            if entry.number == number:
                return entry
        there = f"it has {', '.join(str(entry.number) for entry in found)}" if found else "it is empty"
        raise InputError(f"the history has no entry {number}: {there}", hint="see 'stackctl history'")

    def files(self, number: int) -> dict[str, bytes]:
        """Return the files of an entry, by their paths relative to the stack's directory."""
        folder = self._root / _name(number) / _FILES
        with host_errors():
            return {str(path.relative_to(folder)): read_regular(path) for path in folder.rglob("*") if path.is_file()}

    def generations(self) -> frozenset[str]:
        """Return the proxy's generations that entries name: a rollback needs them."""
        return frozenset(entry.generation for entry in self.entries() if entry.generation)

    def record(self, entry: HistoryEntry, files: Mapping[str, bytes]) -> HistoryEntry:
        """Add ``entry`` with the next number, and drop those beyond the last ten.

        ``files`` are by their paths relative to the stack's directory.

        Raises:
            HostError: it could not be written, and does not exist; or a path points outside the stack.
        """
        for path in files:
            _refuse_outside(path)
        with host_errors():
            make_folder(self._root, 0o700)
            number = max((int(folder.name) for folder in self._folders()), default=0) + 1
            entry = replace(entry, number=number)
            remove_drafts(self._root, _UNFINISHED)
            draft = draft_path(self._root / _name(number))
            new_folder(draft)
            try:
                _write(draft, {_ENTRY: _encoded(entry), **{f"{_FILES}/{path}": files[path] for path in files}})
                draft.rename(self._root / _name(number))
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
            sync_directory(self._root)
            self._prune()
        return entry

    def _folders(self) -> list[Path]:
        """Return the directories of entries, the oldest first."""
        with host_errors():
            there = list(self._root.iterdir()) if self._root.is_dir() else []
        return sorted(
            (path for path in there if path.name.isascii() and path.name.isdigit()), key=lambda p: int(p.name)
        )

    def _prune(self) -> None:
        counted = [entry for entry in self.entries() if entry.kind != "foreign"]
        dropped = self._root / _DROPPED
        shutil.rmtree(dropped, ignore_errors=True)
        for entry in counted[:-KEPT]:
            # Renamed first, so that no incomplete entry remains.
            (self._root / _name(entry.number)).rename(dropped)
            shutil.rmtree(dropped, ignore_errors=True)


def _name(number: int) -> str:
    return f"{number:04d}"


def _refuse_outside(path: str) -> None:
    parts = PurePosixPath(path)
    if not parts.parts or parts.is_absolute() or ".." in parts.parts:
        raise HostError(f"{path!r} is outside the stack's directory", where=path)


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files readable only by their owner, as a Compose file can contain passwords, and flush them to disk."""
    for path, content in files.items():
        at = folder / path
        for parent in (*reversed(PurePosixPath(path).parents), PurePosixPath()):
            make_folder(folder / parent, 0o700)
        with os.fdopen(open_new(at), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    for directory in {folder, *(path for path in folder.rglob("*") if path.is_dir())}:
        sync_directory(directory)


def _encoded(entry: HistoryEntry) -> bytes:
    data = {
        "number": entry.number,
        "at": entry.at.isoformat(timespec="seconds"),
        "command": entry.command,
        "kind": entry.kind,
        "changes": list(entry.changes),
        "generation": entry.generation,
        "lineages": dict(entry.lineages),
        "file": entry.file,
    }
    return (json.dumps(data, indent=2) + "\n").encode()


def _read(folder: Path) -> HistoryEntry | None:
    try:
        data: dict[str, Any] = json.loads(read_regular(folder / _ENTRY))
        if data["kind"] not in get_args(HistoryKind):
            return None
        return HistoryEntry(
            number=int(folder.name),
            at=read_time(data["at"]),
            command=str(data["command"]),
            kind=data["kind"],
            changes=tuple(map(str, data["changes"])),
            generation=None if data["generation"] is None else str(data["generation"]),
            lineages={str(name): str(fingerprint) for name, fingerprint in data["lineages"].items()},
            file=str(data["file"]),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
