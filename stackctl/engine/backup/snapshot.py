"""The chosen files at one moment: what each of them is, and whether all stayed so while they were read."""

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
    """A file is no longer what it was when it was looked at first."""


@dataclass
class Snapshot:
    """What was found.

    Attributes:
        members: by path below the stack's directory, sorted.
        sources: where the content of each file is read.
        notes: what was found and is not among the members as it is.
    """

    members: dict[str, Member] = field(default_factory=dict)
    sources: dict[str, Path] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    marks: dict[str, tuple[int, ...]] = field(default_factory=dict)


def take(root: Path, paths: Iterable[str]) -> Snapshot:
    """Look at every file of ``paths`` and below, and read it for its digest.

    Raises:
        HostError: one of them may not be read by this user.
        Changed: one went away meanwhile.
    """
    found = _Scan(root, hashed=True).run(paths)
    return Snapshot(dict(sorted(found.members.items())), found.sources, found.notes, found.marks)


def refuse_change(root: Path, paths: Iterable[str], before: Snapshot) -> None:
    """Compare what is there now with ``before``.

    Raises:
        Changed: with the path of what differs.
    """
    now = _Scan(root, hashed=False).run(paths).marks
    for path in sorted({*now, *before.marks}):
        if now.get(path) != before.marks.get(path):
            raise Changed(path)


@contextmanager
def certbot_rests(root: Path, wait: float, note: Callable[[str], None]) -> Iterator[None]:
    """Keep certbot out of its tree; waits up to ``wait`` seconds for one at work.

    Where this user may not write there, nothing is kept out, and :func:`refuse_change` has to notice.

    Raises:
        Locked: it is still at work.
    """
    conf = root / CERTBOT_CONF.path
    if not conf.is_dir() or not os.access(conf, os.W_OK | os.X_OK):
        yield
        return
    deadline, told = time.monotonic() + wait, False
    while True:
        with _lock(conf) as held:
            if held:
                yield
                return
        if time.monotonic() >= deadline:
            raise Locked("certbot is at work in its tree", hint="wait for it; 'stackctl … --wait SECONDS' waits longer")
        if not told:
            note("waiting for certbot, which is at work in its tree")
            told = True
        time.sleep(_POLL_SECONDS)


@contextmanager
def _lock(conf: Path) -> Iterator[bool]:
    with ExitStack() as stack:
        try:
            held = stack.enter_context(config_lock(conf))
        except PermissionError:
            held = True  # the file is root's: as where nothing can be locked at all
        yield held


class _Scan:
    """One walk through the chosen paths."""

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
                    self._chosen(path)
        except HostError as error:
            if isinstance(error.__cause__, PermissionError) and CERTBOT_CONF.path in (error.where or ""):
                raise HostError(
                    "certbot's tree can be read by root alone",
                    where=CERTBOT_CONF.path,
                    hint="run it as root: 'sudo stackctl backup …'; a backup without the keys would be none",
                ) from error
            if isinstance(error.__cause__, FileNotFoundError):
                raise Changed(str(error.where)) from error
            raise
        return self

    def _chosen(self, path: str) -> None:
        """One of the chosen paths: a link there is somebody's way to keep the thing elsewhere."""
        place = self._root / path
        if place.is_symlink():
            if not place.exists():
                self.notes.append(
                    f"{path} is not in the archive: it is a link to {place.readlink()}, which is not there"
                )
                return
            self.notes.append(f"{path} is a link to {place.readlink()}: the archive holds what it leads to")
            place = place.resolve()
        self._visit(path, place)

    def _visit(self, path: str, place: Path) -> None:
        if path in _IGNORED:
            return
        if not is_plain(path):
            raise HostError(f"{path!r} has a name that no backup can hold", hint="rename it")
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
            self.notes.append(f"{path} is not in the archive: it is no file, folder or link")

    def _link(self, path: str, place: Path, facts: os.stat_result) -> None:
        target = str(place.readlink())
        if stays_inside(path, target):
            self._add(path, facts, "link", (facts.st_ino, 0, facts.st_mtime_ns), target=target)
        elif place.is_file():
            self.notes.append(f"{path} is a link to {target}: the archive holds what it leads to")
            self._file(path, place.resolve(), place.stat())
        else:
            self.notes.append(f"{path} is not in the archive: it is a link to {target}, which is no file")

    def _file(self, path: str, place: Path, facts: os.stat_result) -> None:
        digest = ""
        if self._hashed:
            with place.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        mark = (facts.st_ino, facts.st_size, facts.st_mtime_ns)
        self._add(path, facts, "file", mark, size=facts.st_size, sha256=digest)
        self.sources[path] = place

    def _add(self, path: str, facts: os.stat_result, kind: str, mark: tuple[int, int, int], **more: object) -> None:
        mode = 0o777 if kind == "link" else facts.st_mode & 0o777
        self.marks[path] = (*mark, mode, facts.st_uid, facts.st_gid)
        common = {"mode": f"{mode:04o}", "uid": facts.st_uid, "gid": facts.st_gid, "mtime": max(0, int(facts.st_mtime))}
        self.members[path] = Member(kind=kind, **common, **more)  # type: ignore[arg-type]
