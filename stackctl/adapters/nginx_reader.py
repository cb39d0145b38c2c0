"""Read the nginx configuration of a container, as that container sees it, without starting anything."""

from __future__ import annotations

import fnmatch
import posixpath
import re
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from stackctl.adapters.disk.files import host_errors, read_or_none
from stackctl.adopt.compose_layouts import on_host
from stackctl.model.project import Service
from stackctl.proxies.nginx.directives import Directive
from stackctl.proxies.nginx.layout import MAIN, NGINX
from stackctl.proxies.nginx.reader import expand, parse

_DEEPEST = 20
_TEMPLATES = f"{NGINX.mount}/templates"
_COPIES = (".custom", ".location")
"""Copies of the user's own files, which are already in nginx/custom/ if stackctl wrote the proxy's service."""

_VARIABLE = re.compile(rb"\$\{(\w+)\}|\$(\w+)")


class Container(Protocol):
    """The files of the service's container, or of its image."""

    @property
    def main(self) -> str:
        """The path of the main configuration file."""

    @property
    def in_force(self) -> bool:
        """Whether it runs, so that its files are those in force."""

    def read(self, path: str) -> bytes | None:
        """Return the content of a file, with links followed; None if there is no such file."""

    def glob(self, pattern: str) -> list[str]:
        """Return the files that match a pattern of ``include``."""


class ContainerFiles:
    """The files that a service's container sees: those of a running container, or those that a start would mount.

    Attributes:
        seen: the files on the host that were read.
        read_inside: the files that were read, as the container names them, by how they are shown.
        differing: the files on the host whose content is not what the running container has.
    """

    def __init__(self, root: Path, service: Service, container: Container | None) -> None:
        self._root = root.resolve()
        self._service = service
        self._container = container
        self.seen: set[str] = set()
        self.read_inside: dict[str, str] = {}
        self.differing: list[str] = []

    @property
    def main(self) -> str:
        """The path of the main configuration file in the container."""
        return self._container.main if self._container else f"{NGINX.mount}/{MAIN}"

    @property
    def is_stackctls(self) -> bool:
        """Whether stackctl wrote the service."""
        return self._service.role == "proxy"

    @property
    def in_force(self) -> bool:
        """Whether the container runs, so that its files are those in force."""
        return self._container is not None and self._container.in_force

    def read(self, path: str) -> tuple[str, bytes] | None:
        """Return the path of a file as shown to the user, and its content; None if it does not exist."""
        host = self.on_host(path)
        on_disk = None
        if host is not None:
            with host_errors():
                on_disk = read_or_none(host) if not host.is_dir() else None
        content = on_disk
        if self._container is not None and (self.in_force or host is None):
            content = self._container.read(path)
        if content is None:
            return None
        if host is None or on_disk is None:
            shown = f"{path} in the container"
            self.read_inside[shown] = path
            return shown, content
        shown = self.shown(host)
        self.read_inside[shown] = path
        self.seen.add(shown)
        if content != on_disk and shown not in self.differing:
            self.differing.append(shown)
        return shown, content

    def on_host(self, path: str) -> Path | None:
        """Return the path of a container's file on the host, with the container's links followed, or None."""
        for _ in range(_DEEPEST):
            found = on_host(self._service.mounts, path)
            if found is None:
                return None
            host = self._root / found
            if not host.is_symlink() or not str(target := host.readlink()).startswith("/"):
                return host
            path = str(target)  # as the container understands it
        return None

    def shown(self, host: Path) -> str:
        """Return a path on the host, relative to the stack's directory if it is inside."""
        return str(host.relative_to(self._root)) if host.is_relative_to(self._root) else str(host)

    def glob(self, pattern: str) -> list[str]:
        """Return the matching files, as the container names them, in nginx's order."""
        found = set(self._container.glob(pattern)) if self._container else set()
        if self.in_force:
            return sorted(found)
        folder, _, name = pattern.rpartition("/")
        found |= {mount.target for mount in self._service.mounts if fnmatch.fnmatch(mount.target, pattern)}
        host = on_host(self._service.mounts, folder)
        if host is not None and (self._root / host).is_dir():
            there = {path.name for path in (self._root / host).iterdir() if fnmatch.fnmatch(path.name, name)}
            found = {f"{folder}/{path}" for path in there}  # the mount hides the image's
        return sorted(found)


def read_configuration(files: ContainerFiles, environment: Mapping[str, str]) -> tuple[Directive, ...]:
    """Return the whole configuration, with includes expanded; empty if there is none.

    Raises:
        ProxyRejected: a file is not nginx's syntax.
    """
    included = partial(_included, files)
    main = files.read(files.main)
    generated: list[Directive] = []
    if not files.in_force:  # a start would generate them
        for path in files.glob(f"{_TEMPLATES}/*.template"):
            found = files.read(path)
            if found is not None:
                generated += expand(parse(_filled_in(found[1], environment), found[0]), included)
    if main is not None:
        return _with_http(tuple(expand(parse(main[1], main[0]), included)), generated)
    parts: list[Directive] = []
    for pattern in (f"{NGINX.mount}/conf.d/*.conf", f"{NGINX.mount}/sites-enabled/*"):
        for path in files.glob(pattern):
            found = files.read(path)
            parts += expand(parse(found[1], found[0]), included) if found else ()
    return (*parts, *generated)


def _filled_in(template: bytes, environment: Mapping[str, str]) -> bytes:
    """Return a template with the values of variables; nginx's own variables stay."""

    def value(match: re.Match[bytes]) -> bytes:
        found = environment.get((match[1] or match[2]).decode())
        return match[0] if found is None else found.encode()

    return _VARIABLE.sub(value, template)


def _with_http(directives: tuple[Directive, ...], more: Sequence[Directive]) -> tuple[Directive, ...]:
    """Add directives to the block ``http``."""
    return tuple(
        one.with_block((*one.block, *more)) if one.name == "http" and one.block is not None else one
        for one in directives
    )


def _included(files: ContainerFiles, include: Directive) -> list[tuple[bytes, str]] | None:
    if include.arg.endswith(_COPIES) and files.is_stackctls:
        return []
    path = posixpath.join(posixpath.dirname(files.main), include.arg)
    is_pattern = any(char in path for char in "*?[")
    found = [files.read(name) for name in (files.glob(path) if is_pattern else [path])]
    if not is_pattern and found == [None]:
        return None
    return [(part[1], part[0]) for part in found if part]
