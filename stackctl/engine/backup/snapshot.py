"""Take a snapshot of the selected files, and detect changes while they are read."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stackctl.adapters.disk.files import host_errors
from stackctl.certs.issuer.locks import CONFIG_LOCK, config_lock
from stackctl.engine.backup.manifest import Member, is_plain, stays_inside
from stackctl.errors import HostError, Locked
from stackctl.model.layout import CERTBOT_CONF

CHUNK = 1 << 20
_POLL_SECONDS = 0.1
_IGNORED = {(CERTBOT_CONF / CONFIG_LOCK).path}


class Changed(Exception):
    """A file changed since it was scanned."""


@dataclass
class Snapshot:
    """The scanned files.

    Attributes:
        members: by path below the stack's directory, sorted.
        sources: the path from which the content of each file is read.
        notes: files that are left out of the members, or changed in them, and why.
    """

    members: dict[str, Member] = field(default_factory=dict)
    sources: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    marks: dict[str, tuple[int, ...]] = field(default_factory=dict)


def take(root: Path, paths: Iterable[str]) -> Snapshot:
    """Scan every file in ``paths`` and below, and compute its digest.

    Raises:
        HostError: this user may not read one of them.
        Changed: one was removed meanwhile.
    """
    found = _Scan(root, hashed=True).run(paths)
    return Snapshot(dict(sorted(found.members.items())), found.sources, found.notes, found.marks)


def refuse_change(root: Path, paths: Iterable[str], before: Snapshot) -> None:
    """Compare the files with the snapshot ``before``.

    Raises:
        Changed: with the path that differs.
    """
    now = _Scan(root, hashed=False).run(paths).marks
    for path in sorted({*now, *before.marks}):
        if now.get(path) != before.marks.get(path):
            raise Changed(path)


@contextmanager
def certbot_locked_out(root: Path, wait: float, note: Callable[[str], None]) -> Iterator[None]:
    """Lock certbot out of its tree; wait up to ``wait`` seconds for a running certbot.

    If this user may not write there, nothing is locked, and :func:`refuse_change` detects the changes.

    Raises:
        Locked: certbot is still running.
    """
    conf = root / CERTBOT_CONF.path
    if not conf.is_dir() or not os.access(conf, os.W_OK | os.X_OK):
        yield
        return
    deadline, noted = time.monotonic() + wait, False
    while True:
        with _lock(conf) as held:
            if held:
                yield
                return
        if time.monotonic() >= deadline:
            raise Locked(
                "certbot is running and has locked its tree",
                hint="run the command again when it has ended; 'stackctl … --wait SECONDS' waits longer",
            )
        if not noted:
            note("waiting for certbot, which has locked its tree")
            noted = True
        time.sleep(_POLL_SECONDS)


@contextmanager
def _lock(conf: Path) -> Iterator[bool]:
    with ExitStack() as stack:
        try:
            held = stack.enter_context(config_lock(conf))
        except PermissionError:
            held = True  # the lock file belongs to root: proceed as if nothing can be locked
        yield held


class _Scan:
    """Scans the selected paths."""

    def __init__(self, root: Path, *, hashed: bool) -> None:
        self._root = root
        self._hashed = hashed
        self.members: dict[str, Member] = {}
        self.sources: dict[str, Path] = {}
        self.notes: list[str] = []
        self.marks: dict[str, tuple[int, ...]] = {}

    def run(self, paths: Iterable[str]) -> _Scan:
        try:
            for path in sorted(paths):
                with host_errors():
                    self._selected(path)
        except HostError as error:
            if isinstance(error.__cause__, PermissionError) and CERTBOT_CONF.path in (error.where or ""):
                raise HostError(
                    "only root can read certbot's tree",
                    where=CERTBOT_CONF.path,
                    hint="run 'sudo stackctl backup …': the backup must contain the keys",
                ) from error
            if isinstance(error.__cause__, FileNotFoundError):
                raise Changed(str(error.where)) from error
            raise
        return self

    def _selected(self, path: str) -> None:
        """Scan one of the selected paths; if it is a link, the user keeps the target elsewhere."""
        place = self._root / path
        if place.is_symlink():
            if not place.exists():
                self.notes.append(
                    f"{path} is not in the archive: it is a link to {place.readlink()}, which does not exist"
                )
                return
            self.notes.append(f"{path} is a link to {place.readlink()}: the archive contains its target")
            place = place.resolve()
        self._visit(path, place)

    def _visit(self, path: str, place: Path) -> None:
        if path in _IGNORED:
            return
        if not is_plain(path):
            raise HostError(f"the name of {path!r} is not allowed in a backup", hint="rename it")
        facts = place.lstat()
        if stat.S_ISDIR(facts.st_mode):
            self._add(path, facts, "dir", (0, 0, 0))
            for entry in sorted(place.iterdir()):
                self._visit(f"{path}/{entry.name}", entry)
        elif stat.S_ISREG(facts.st_mode):
            self._file(path, place, facts)
        elif stat.S_ISLNK(facts.st_mode):
            self._link(path, place, facts)
        else:
            self.notes.append(f"{path} is not in the archive: it is not a file, directory or link")

    def _link(self, path: str, place: Path, facts: os.stat_result) -> None:
        target = str(place.readlink())
        if stays_inside(path, target):
            self._add(path, facts, "link", (facts.st_ino, 0, facts.st_mtime_ns), target=target)
        elif place.is_file():
            self.notes.append(f"{path} is a link to {target}: the archive contains its target")
            self._file(path, place.resolve(), place.stat())
        else:
            self.notes.append(f"{path} is not in the archive: it is a link to {target}, which is not a file")

    def _file(self, path: str, place: Path, facts: os.stat_result) -> None:
        digest = ""
        if self._hashed:
            with place.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        mark = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        self._add(path, facts, "file", mark, size=facts.st_size, sha256=digest)
        self.sources[path] = place

    def _add(self, path: str, facts: os.stat_result, kind: str, mark: tuple[int, int, int], **fields: object) -> None:
        mode = 0o777 if kind == "link" else facts.st_mode & 0o777
        self.marks[path] = (*mark, mode, facts.st_uid, facts.st_gid)
        common = {"mode": f"{mode:04o}", "uid": facts.st_uid, "gid": facts.st_gid, "mtime": max(0, int(facts.st_mtime))}
        self.members[path] = Member(kind=kind, **common, **fields)  # type: ignore[arg-type]
