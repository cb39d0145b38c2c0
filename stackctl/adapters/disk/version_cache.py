"""The versions of images, which all stacks of a user share: to ask an image takes a container."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

from stackctl.adapters.disk.files import write_whole
from stackctl.model.layout import VERSIONS_CACHE
from stackctl.reading import read_regular

KEPT_VERSIONS = 50
"""The number of images whose version is cached."""


class VersionCache:
    """What images printed as their version, in ``directory``; without one nothing is remembered."""

    def __init__(self, directory: Path | None) -> None:
        self._directory = directory

    def get(self, key: str) -> str | None:
        """Return the version output of a proxy's image, or None; the key begins with the image's id."""
        found = self._versions().get(key)
        return found if isinstance(found, str) else None

    def put(self, key: str, output: str) -> None:
        """Remember it, if the directory can be written; an image id always names the same content."""
        if self._directory is None:
            return
        kept = list(self._versions().items())[-KEPT_VERSIONS:]
        with suppress(OSError):
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_whole(self._directory / VERSIONS_CACHE, json.dumps({**dict(kept), key: output}).encode())

    def _versions(self) -> dict[str, object]:
        if self._directory is None:
            return {}
        try:
            cache = json.loads(read_regular(self._directory / VERSIONS_CACHE))
        except (OSError, ValueError, RecursionError):
            return {}
        return cache if isinstance(cache, dict) else {}
