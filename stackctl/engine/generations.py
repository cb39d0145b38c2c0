"""The proxy's files on disk, as whole generations of which one is live.

nginx/live            a link to generations/ID, switched in one rename
nginx/generations/    the last ten sets of files, each complete
nginx/nginx.conf, sites, snippets   fixed links through live
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from stackctl.engine.disk import host_errors, read_or_none, sync_directory, write_whole
from stackctl.render.proxy import Files

KEPT = 10

# Through these the layout is an ordinary one, and 'nginx -t' in the container needs no option.
_DOORS = {"nginx.conf": "live/nginx.conf", "sites": "live/sites", "snippets": "live/snippets"}


class Generations:
    """The sets of files below the proxy's directory ``root``.

    ``marker`` is the file by which a set tells which one it is: part of it, but not of its identity.
    """

    def __init__(self, root: Path, marker: str) -> None:
        self._root = root
        self._marker = marker

    def published(self) -> str | None:
        """The id of the live generation."""
        try:
            return (self._root / "live").readlink().name
        except OSError:
            return None

    def live(self) -> dict[str, bytes]:
        """The files of the live generation, without its marker."""
        root = self._root / "live"
        with host_errors():
            files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        files.pop(self._marker, None)
        return files

    def make_doors(self) -> None:
        """Make the fixed links."""
        with host_errors():
            for door, target in _DOORS.items():
                link = self._root / door
                if not link.is_symlink() and not link.exists():
                    link.symlink_to(target)

    def stage(self, generation: str, files: Files) -> str:
        """Lay a whole generation down beside the live one; returns its path below the proxy's directory.

        What it shares with the live one is linked, not copied: a thousand sites cost what changed.
        """
        name = f"generations/{generation}"
        final = self._root / name
        if final.is_dir():
            return name  # it came to be by a rename, so it is whole
        draft = final.with_name(f".{generation}.tmp")
        live = self._root / "live"
        with host_errors():
            shutil.rmtree(draft, ignore_errors=True)
            try:
                for folder in {(draft / path).parent for path in files} | {draft / "sites"}:
                    folder.mkdir(parents=True, exist_ok=True)
                for path, content in files.items():
                    if read_or_none(live / path) == content:
                        os.link((live / path).resolve(), draft / path)
                    else:
                        write_whole(draft / path, content)
                draft.rename(final)
                sync_directory(final.parent)
            except BaseException:
                shutil.rmtree(draft, ignore_errors=True)
                raise
        return name

    def discard(self, generation: str) -> None:
        """Take back a staged generation that is not live."""
        if generation != self.published():
            shutil.rmtree(self._root / "generations" / generation, ignore_errors=True)

    def go_live(self, generation: str) -> None:
        """Make a staged generation the live one, in one rename."""
        link = self._root / "live"
        draft = link.with_name(".live.tmp")
        with host_errors():
            draft.unlink(missing_ok=True)
            draft.symlink_to(f"generations/{generation}")
            draft.replace(link)
            sync_directory(link.parent)
            os.utime(link.resolve())
            self._prune()

    def _prune(self) -> None:
        folder = self._root / "generations"
        ages = sorted((path for path in folder.iterdir()), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in ages[KEPT:]:
            shutil.rmtree(path, ignore_errors=True)
