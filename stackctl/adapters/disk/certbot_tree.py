"""certbot's tree, read and never written: from the disk, or through its container where the disk is closed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from stackctl.adapters.disk.files import host_errors, read_or_none
from stackctl.adapters.disk.lineage_cache import LineageCache
from stackctl.certs.lineage import Lineage, read_lineage
from stackctl.model.layout import LINEAGES, lineage_file, lineage_files

ContainerReader = Callable[[], Mapping[str, bytes]]
"""Gives the tree's files as the container sees them: paths relative to it, links followed."""


class CertbotTree:
    """``/etc/letsencrypt`` of one stack.

    certbot leaves it to root alone. Who may use Docker but is not root reads it ``through`` the
    container, which is no more than they may do anyway.
    """

    def __init__(self, root: Path, through: ContainerReader | None, cache: Path | None = None) -> None:
        """``cache`` is a file for what was read and judged before."""
        self._root = root
        self._through = through
        self._cache = cache

    def lineages(self) -> dict[str, Lineage]:
        """What is under ``live/``, by lineage."""
        with host_errors():
            try:
                return self._all_on_disk()
            except FileNotFoundError:
                return {}
            except PermissionError:
                if self._through is None:
                    raise
        files = self._through()
        parts = (path.split("/") for path in files)
        names = sorted({folders[1] for folders in parts if folders[0] == LINEAGES and len(folders) > 2})
        return {name: _lineage(name, files.get, linked=True) for name in names}

    def _all_on_disk(self) -> dict[str, Lineage]:
        names = sorted(entry.name for entry in os.scandir(self._root / LINEAGES) if entry.is_dir())
        if self._cache is None:
            return {name: self._on_disk(name) for name in names}
        cache = LineageCache(self._cache)
        found = {name: cache.get(name, self._paths(name), self._on_disk) for name in names}
        cache.keep(names)
        return found

    def lineage(self, name: str) -> Lineage:
        """One lineage as it is now."""
        with host_errors():
            try:
                return self._on_disk(name)
            except PermissionError:
                if self._through is None:
                    raise
        return _lineage(name, self._through().get, linked=True)

    def _on_disk(self, name: str) -> Lineage:
        linked = (self._root / lineage_file(name, "fullchain")).is_symlink()
        return _lineage(name, lambda path: read_or_none(self._root / path), linked=linked)

    def _paths(self, name: str) -> list[str]:
        return [f"{self._root}/{path}" for path in lineage_files(name)]


def _lineage(name: str, read: Callable[[str], bytes | None], *, linked: bool) -> Lineage:
    return read_lineage(name, *map(read, lineage_files(name)), linked=linked)
