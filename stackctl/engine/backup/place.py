"""Put an archive in place: unpack it to a staging directory, then move it in by renames, so that a crash loses nothing.

.stackctl/restore/draft/        being unpacked; discarded after a crash
.stackctl/restore/ready/        unpacked, verified and flushed to disk
.stackctl/restore/journal.json  the archive's digest, and the directory for the files that it replaces
replaced-TIME/                  the replaced files, never deleted

The journal is the point of no return: from there on a restore of the same archive finishes the job.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal

import msgspec
from msgspec import Struct

from stackctl.adapters.disk.files import (
    host_errors,
    make_folder,
    open_new,
    read_or_none,
    sync_directory,
    sync_file,
    write_whole,
)
from stackctl.certs.ledger import Ledger
from stackctl.engine.backup.manifest import Manifest, Member, ancestors
from stackctl.engine.backup.unpack import read
from stackctl.errors import HostError
from stackctl.model.layout import (
    ACCOUNTS,
    CA,
    CERTBOT_CONF,
    CERTS,
    DIRECTORIES,
    HISTORY,
    LEDGER,
    PAIRS,
    RENEWALS,
    RESTORE,
    STATE,
)
from stackctl.proxies.registry import layouts
from stackctl.reading import read_regular
from stackctl.stackfile.locate import KNOWN_NAMES

_OVERRIDES = tuple(f"{name.rpartition('.')[0]}.override.{end}" for name in KNOWN_NAMES[::2] for end in ("yml", "yaml"))
_COMPOSE = (*KNOWN_NAMES, *_OVERRIDES, ".env")
_OWN = (*_COMPOSE, CERTBOT_CONF.path, PAIRS.path, CERTS, CA.path, HISTORY)
"""The files of a stack: old ones are moved away even if nothing replaces them, or they would mix with the new ones."""

_VOLATILE = tuple(
    f"{folder}/" for folder in ((CERTBOT_CONF / RENEWALS).path, (CERTBOT_CONF / ACCOUNTS).path, PAIRS.path, STATE)
)
"""Files that change by themselves soon after a restore."""


class Journal(Struct, frozen=True):
    """The decisions of a restore: the archive's digest, the replaced files, where they go, and the current step."""

    digest: str
    aside: str
    replaced: tuple[str, ...]
    step: Literal["aside", "place"]


class Placing:
    """Puts the archive with ``digest`` into the directory ``root``."""

    def __init__(self, root: Path, manifest: Manifest, digest: str) -> None:
        self._root = root
        self._manifest = manifest
        self._digest = digest
        self._home = root / RESTORE

    def in_the_way(self) -> tuple[str, ...]:
        """Return the existing paths that are replaced: a stack, or files with names of the archive's."""
        if not self._root.is_dir():
            return ()
        wanted = {*_OWN, *(layout.directory for layout in layouts()), *self._manifest.units} - {LEDGER}
        there = [path for path in sorted(wanted) if os.path.lexists(self._root / path)]
        return tuple(path for path in there if not any(above in there for above in ancestors(path)))

    @property
    def is_begun(self) -> bool:
        """Whether a restore of this archive was interrupted here, and can continue."""
        journal = self._journal()
        return journal is not None and journal.digest == self._digest

    @property
    def is_done(self) -> bool:
        """Whether the stack is already the archive's; volatile files are not compared."""
        try:
            added = [path for path in _COMPOSE if os.path.lexists(self._root / path)]
            for layout in layouts():
                custom = self._root / layout.custom
                added += [f"{layout.custom}/{path.name}" for path in (custom.iterdir() if custom.is_dir() else ())]
            return (
                not self.is_begun
                and set(added) <= set(self._manifest.files)
                and all(
                    _is_there(self._root / path, member)
                    for path, member in self._manifest.files.items()
                    if not path.startswith(_VOLATILE)
                )
            )
        except OSError:  # unreadable files count as different
            return False

    @property
    def half_done(self) -> bool:
        """Whether the restore of another archive was interrupted here."""
        return self._journal() is not None and not self.is_begun

    @property
    def makes_room(self) -> bool:
        """Whether the staged files replace existing ones."""
        journal = self._journal()
        return journal is not None and bool(journal.replaced)

    def stage(self, file: BinaryIO, now: datetime) -> int:
        """Unpack to the staging directory, and write the journal; return how many members could not get their owner.

        Raises:
            HostError: the disk is full, or not writable.
            InputError: the archive changed since it was verified.
        """
        with host_errors():
            self._refuse_full_disk()
            self.clean()
            draft = self._home / "draft"
            make_folder(self._root / STATE, DIRECTORIES[STATE])
            make_folder(self._home, 0o700)
            draft.mkdir(mode=0o700)
            unpacked = _Unpacked(draft)
            try:
                read(file, unpacked.keep)
                unpacked.finish(self._manifest)
            except BaseException:
                self.clean()
                raise
            self._merge_ledger(draft / LEDGER)
            draft.rename(self._home / "ready")
            sync_directory(self._home)
            aside = _free(self._root / f"replaced-{now:%Y%m%d-%H%M%S}").name
            self._write(Journal(self._digest, aside, self.in_the_way(), "aside"))
        return unpacked.foreign

    def move(self) -> str | None:
        """Move existing files away and the archive's in; return the directory of the replaced files, or None."""
        with host_errors():
            journal = self._journal()
            assert journal is not None
            if journal.step == "aside":
                for path in journal.replaced:
                    self._move_away(journal, path)
                self._write(msgspec.structs.replace(journal, step="place"))
            for path in self._manifest.units:
                self._move_in(journal, path)
            self.clean()
            return journal.aside if (self._root / journal.aside).is_dir() else None

    def clean(self) -> None:
        """Remove the staging directory, with the decisions in its journal."""
        # The journal first: without it the rest is ignored, and with it the rest would have to be complete.
        (self._home / "journal.json").unlink(missing_ok=True)
        shutil.rmtree(self._home, ignore_errors=True)

    def _move_away(self, journal: Journal, path: str) -> None:
        source, goal = self._root / path, self._root / journal.aside / path
        if not os.path.lexists(source) or os.path.lexists(goal):
            return
        (self._root / journal.aside).mkdir(mode=0o700, exist_ok=True)
        make_folder(goal.parent)
        source.rename(goal)
        sync_directory(source.parent)
        sync_directory(goal.parent)

    def _move_in(self, journal: Journal, path: str) -> None:
        source, goal = self._home / "ready" / path, self._root / path
        if not os.path.lexists(source):
            return  # moved before the crash
        if os.path.lexists(goal) and path != LEDGER:
            # It was created since: Docker does so if a container that it restarts mounts it.
            stranger = _free(self._root / journal.aside / path)
            make_folder(stranger.parent)
            goal.rename(stranger)
        make_folder(goal.parent)
        source.rename(goal)
        sync_directory(goal.parent)

    def _merge_ledger(self, staged: Path) -> None:
        """Merge the current ledger into the archive's: orders since the backup count at the CA too."""
        texts = [(read_or_none(path) or b"").decode("utf-8", "replace") for path in (staged, self._root / LEDGER)]
        if texts[0]:
            entries = {entry for text in texts for entry in Ledger.parse(text).entries}
            merged = sorted(entries, key=lambda entry: (entry.at, entry.names))
            if texts[1]:
                write_whole(staged, "".join(f"{entry.line()}\n" for entry in merged).encode())

    def _refuse_full_disk(self) -> None:
        need, free = self._manifest.size + 4096 * len(self._manifest.files), shutil.disk_usage(self._root).free
        if need > free:
            raise HostError(
                f"the disk is full: the archive needs {need} bytes, {free} are free",
                where=str(self._root),
                hint="free some space; nothing was changed",
            )

    def _journal(self) -> Journal | None:
        try:
            return msgspec.json.decode(read_regular(self._home / "journal.json"), type=Journal)
        except (FileNotFoundError, NotADirectoryError, msgspec.DecodeError, RecursionError):
            return None

    def _write(self, journal: Journal) -> None:
        write_whole(self._home / "journal.json", msgspec.json.encode(journal), 0o600)


class _Unpacked:
    """Writes the members of the archive below ``draft``."""

    def __init__(self, draft: Path) -> None:
        self._draft = draft
        self.foreign = 0

    def keep(self, path: str, member: Member, content: Iterator[bytes]) -> None:
        place = self._draft / path
        make_folder(place.parent)
        if member.kind == "link":
            place.symlink_to(member.target)
        elif member.kind == "dir":
            place.mkdir(mode=0o700, exist_ok=True)  # writable for its members, until 'finish'
        else:
            with os.fdopen(open_new(place), "wb") as file:
                for chunk in content:
                    file.write(chunk)
        self._own(place, member)
        if member.kind == "file":
            place.chmod(member.permissions)
        if member.kind != "dir":
            os.utime(place, (member.mtime, member.mtime), follow_symlinks=False)

    def _own(self, place: Path, member: Member) -> None:
        facts = place.lstat()
        if (facts.st_uid, facts.st_gid) == (member.uid, member.gid):
            return
        try:
            os.lchown(place, member.uid, member.gid)
        except PermissionError:
            self.foreign += facts.st_uid != member.uid

    def finish(self, manifest: Manifest) -> None:
        """Flush everything to disk, and set the modes of the directories."""
        for path, member in reversed(manifest.files.items()):
            if member.kind == "file":
                sync_file(self._draft / path)
            elif member.kind == "dir":
                sync_directory(self._draft / path)
                (self._draft / path).chmod(member.permissions)
                os.utime(self._draft / path, (member.mtime, member.mtime))


def _is_there(place: Path, member: Member) -> bool:
    if member.kind == "link":
        return place.is_symlink() and str(place.readlink()) == member.target
    if member.kind == "dir":
        return place.is_dir() and not place.is_symlink()
    if not place.is_file() or place.is_symlink() or place.stat().st_size != member.size:
        return False
    with place.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == member.sha256


def _free(path: Path) -> Path:
    """Return ``path``, with a number appended if it exists."""
    names = itertools.chain([path], (path.with_name(f"{path.name}.{number}") for number in itertools.count(2)))
    return next(name for name in names if not os.path.lexists(name))
