"""The proxy's files on disk, as complete generations of which one is live.

live            a link to generations/ID, switched in one rename
generations/    the last ten sets of files, and those that the history names, each complete
entry points    the files and folders of the proxy's layout: fixed links through live
"""

from __future__ import annotations

import itertools
import os
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from pathlib import Path

from stackctl.adapters.disk.files import (
    draft_path,
    free_backup,
    give_to_owner,
    host_errors,
    link_or_write,
    make_folder,
    new_folder,
    remove_drafts,
    sync_directory,
    sync_file,
)
from stackctl.errors import HostError
from stackctl.model.layout import GENERATIONS, LIVE, LIVE_DRAFTS
from stackctl.observed.delivery import Staged
from stackctl.proxies.proxy import Files, ProxyLayout
from stackctl.proxies.sites import generation_of
from stackctl.times import TOLERANCE

KEPT = 10


class Generations:
    """The sets of files below the proxy's directory.

    The marker file serves a set's id: it is part of the set, but not of its identity.

    Args:
        stack: the stack's directory.
        layout: where the proxy's files are; its entry points make the directory look ordinary to its image.
        pinned: returns the sets that are kept whatever their age.
    """

    def __init__(self, stack: Path, layout: ProxyLayout, pinned: Callable[[], Collection[str]] = frozenset) -> None:
        self._stack = stack
        self._root = stack / layout.directory
        self._layout = layout
        self._pinned = pinned

    def published(self) -> str | None:
        """Return the id of the live generation, or None."""
        try:
            return (self._root / LIVE).readlink().name
        except OSError:
            return None

    def live(self) -> dict[str, bytes]:
        """Return the files of the live generation, without its marker."""
        live = self._root / LIVE
        return self._read(live) if live.is_symlink() else {}

    def _read(self, folder: Path) -> dict[str, bytes]:
        files: dict[str, bytes] = {}
        with host_errors():
            # Plain strings: path objects for a thousand sites cost more than reading the files.
            for parent, _, names in os.walk(folder):
                inside = os.path.relpath(parent, folder)
                for name in names:
                    if not os.path.isfile(f"{parent}/{name}"):  # noqa: PTH113
                        continue  # such as a broken link made by an editor
                    with open(f"{parent}/{name}", "rb") as file:  # noqa: PTH123
                        files[name if inside == "." else f"{inside}/{name}"] = file.read()
        files.pop(self._layout.marker, None)
        return files

    def missing(self) -> tuple[str, ...]:
        """Return the entry points that are missing or are not links: a copy of a stack may have lost them."""
        return tuple(f"{self._layout.directory}/{name}" for name in self._missing_links())

    def _missing_links(self) -> list[str]:
        points = self._layout.entry_points
        return [name for name, target in points.items() if _target(self._root / name) != target]

    def in_the_way(self) -> dict[str, str]:
        """Return what has the place of a link, with the name that :meth:`move_aside` gives it."""
        names = [*([] if (self._root / LIVE).is_symlink() else [LIVE]), *self._missing_links()]
        found = [self._root / name for name in names if os.path.lexists(self._root / name)]
        folder = self._layout.directory
        return {f"{folder}/{path.name}": f"{folder}/{free_backup(path).name}" for path in found}

    def move_aside(self, moves: Mapping[str, str]) -> None:
        """Rename what :meth:`in_the_way` returned; what is no longer there is no error."""
        with host_errors():
            for path, free in moves.items():
                if os.path.lexists(self._stack / path):
                    (self._stack / path).rename(self._stack / free)

    def prepare(self) -> None:
        """Create the entry points."""
        with host_errors():
            for name in self._missing_links():
                (self._root / name).symlink_to(self._layout.entry_points[name])
                give_to_owner(self._root / name, self._root)

    def stage(self, files: Files, marker: Callable[[str], bytes]) -> Staged:
        """Write a complete set next to the live one, with a marker of its name.

        Files that it shares with the live one are hard-linked, so that with a thousand sites only changes cost.
        """
        name = self._free_name(generation_of(files), files)
        final = self._root / GENERATIONS / name
        if final.is_dir():
            return Staged(name, f"{GENERATIONS}/{name}", made=False)
        with host_errors():
            make_folder(final.parent)
            remove_drafts(final.parent)
            draft = draft_path(final)
            new_folder(draft)
            try:
                self._write(draft, {**files, self._layout.marker: marker(name)})
                draft.chmod(0o755)
                draft.rename(final)
                sync_directory(final.parent)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
        return Staged(name, f"{GENERATIONS}/{name}", made=True)

    def _free_name(self, identity: str, files: Files) -> str:
        """Return the identity, with a number appended if a set of that name was changed by hand."""
        for number in itertools.count(1):
            name = identity if number == 1 else f"{identity}-{number}"
            folder = self._root / GENERATIONS / name
            if not folder.is_dir() or self._read(folder) == files:
                break
        return name

    def _write(self, folder: Path, files: Files) -> None:
        live = (self._root / LIVE).resolve()
        before = self._read(live) if live.is_dir() else {}
        written: list[Path] = []
        for inside in {os.path.dirname(path) for path in files} | set(self._layout.folders):  # noqa: PTH120
            make_folder(folder / inside)
        for path, content in files.items():
            same = f"{live}/{path}" if before.get(path) == content else None
            secret = path.partition("/")[0] in self._layout.secret
            if link_or_write(folder / path, content, same, 0o600 if secret else 0o644):
                written.append(folder / path)
        # After all are written: the disk then has one transaction to finish, not one per file.
        for file in written:
            sync_file(file)

    def discard(self, staged: Staged) -> None:
        """Remove a staged generation, unless it existed before: the history may name it, or it may be live."""
        if staged.made:
            shutil.rmtree(self._root / GENERATIONS / staged.name, ignore_errors=True)

    def go_live(self, generation: str) -> None:
        """Make a staged generation the live one, in one rename."""
        link = self._root / LIVE
        draft = draft_path(link)
        with host_errors():
            remove_drafts(link.parent, LIVE_DRAFTS)
            if os.path.lexists(link) and not link.is_symlink():
                raise HostError("it is no link", where=f"{self._layout.directory}/{LIVE}", hint="run 'stackctl up'")
            draft.symlink_to(f"{GENERATIONS}/{generation}")
            give_to_owner(draft, self._root)
            draft.replace(link)
            sync_directory(link.parent)
            with suppress(PermissionError):  # made by another user
                os.utime(link.resolve())
            self._prune()

    def _prune(self) -> None:
        folder = self._root / GENERATIONS
        ages = sorted(folder.iterdir(), key=_used, reverse=True)
        pinned = self._pinned()
        for path in ages[KEPT:]:
            if path.name not in pinned:
                shutil.rmtree(path, ignore_errors=True)


def _target(link: Path) -> str | None:
    """Return what a link leads to; None for what is no link."""
    try:
        return str(link.readlink())
    except OSError:
        return None


def _used(folder: Path) -> float:
    """Return when a generation was last made live; one from the future counts as the oldest."""
    at = folder.stat().st_mtime
    return at if at <= time.time() + TOLERANCE.total_seconds() else 0.0
