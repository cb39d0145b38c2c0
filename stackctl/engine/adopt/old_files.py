"""Decide which files of a foreign proxy's container its new container has too."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache

from stackctl.adopt.compose_layouts import mount_of
from stackctl.adopt.kept_files import OldFiles
from stackctl.engine.adopt.inside import LARGEST, Inside
from stackctl.engine.context import Context
from stackctl.errors import EngineError
from stackctl.model.layout import CERTBOT_CONF, PROXY_MOUNTS
from stackctl.model.project import Service
from stackctl.observed.containers import Entry

_HIDDEN = tuple(place.mount for place in (CERTBOT_CONF, *PROXY_MOUNTS))
"""Directories of the old container that the new one does not have, or has for something else."""


def old_files(
    context: Context, proxy: Service, inside: Inside | None, image: str, configuration: Sequence[str]
) -> OldFiles:
    """Return what is known of the files of ``proxy``, whose new container is made from ``image``.

    ``configuration`` are the directories of the old configuration, which the new container does not have either.
    """
    hidden = (*_HIDDEN, *configuration)
    if inside is None:
        return OldFiles(stays=lambda path: not _is_below(path, hidden))
    in_image = _image_reader(context, image)

    @lru_cache
    def stays(path: str) -> bool:
        mount = mount_of(proxy.mounts, path)
        if _is_below(path, hidden):
            return inside.real(path) is None
        if mount is not None or inside.real(path) is None:
            return True
        mounted = _mounted_below(proxy, path)
        try:
            return _same(_without(inside.entries(path), mounted), _without(in_image(path), mounted))
        except EngineError:  # too large to compare
            return image == proxy.image

    def is_folder(path: str) -> bool:
        real = inside.real(path)
        try:
            return real is not None and inside.entries(real)[""].content is None
        except EngineError:  # too large to be a file
            return True

    def is_writable(path: str) -> bool:
        mount = mount_of(proxy.mounts, path)
        return mount is not None and not mount.read_only and stays(path)

    def has_mounts(path: str) -> bool:
        # Below a hidden directory the new container has none of the user's mounts.
        return not _is_below(path, hidden) and bool(_mounted_below(proxy, path))

    return OldFiles(posixpath.dirname(inside.main), inside.prefix, stays, is_folder, is_writable, has_mounts)


def _is_below(path: str, places: Sequence[str]) -> bool:
    return any(f"{path}/".startswith(f"{place}/") for place in places)


def _mounted_below(proxy: Service, path: str) -> list[str]:
    """Return where the user mounts something below ``path``, relative to it."""
    top = f"{path.rstrip('/')}/"
    return [one.target.removeprefix(top) for one in proxy.mounts if one.target.startswith(top)]


def _without(entries: Mapping[str, Entry], mounted: Sequence[str]) -> dict[str, Entry]:
    """Return the entries that are not mounted, without the directories that only lead to a mount."""
    places = [f"{place}/" for place in mounted]
    return {
        path: entry
        for path, entry in entries.items()
        if not any(f"{path}/".startswith(place) or place.startswith(f"{path}/" if path else "") for place in places)
    }


def _image_reader(context: Context, image: str) -> Callable[[str], Mapping[str, Entry]]:
    def read(path: str) -> Mapping[str, Entry]:
        with context.sandbox.unstarted(image) as created:
            return context.containers.entries(created, path, LARGEST)

    return read


def _same(one: Mapping[str, Entry], other: Mapping[str, Entry]) -> bool:
    return {path: (entry.content, entry.target) for path, entry in one.items()} == {
        path: (entry.content, entry.target) for path, entry in other.items()
    }
