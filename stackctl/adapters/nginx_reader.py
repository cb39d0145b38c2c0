"""Read the nginx configuration of a container, as that container sees it, without starting anything."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from stackctl.adapters.disk.files import host_errors, read_or_none
from stackctl.adopt.compose_layouts import on_host
from stackctl.model.project import Service
from stackctl.proxies.nginx.directives import Directive
from stackctl.proxies.nginx.layout import NGINX
from stackctl.proxies.nginx.reader import expand, parse

_DEEPEST = 20
_TEMPLATES = f"{NGINX.mount}/templates"
_COPIES = (".custom", ".location")
"""Copies of the user's own files, which are already in nginx/custom/ if stackctl wrote the proxy's service."""

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


class ContainerFiles:
    """The files that a service's container sees; ``elsewhere`` reads those that are not on the host."""

    def __init__(self, root: Path, service: Service, elsewhere: Callable[[str], bytes | None]) -> None:
        self._root = root.resolve()
        self._service = service
        self._elsewhere = elsewhere
        self.seen: set[str] = set()

    @property
    def is_stackctls(self) -> bool:
        """Whether stackctl wrote the service."""
        return self._service.role == "proxy"

    def read(self, path: str) -> tuple[str, bytes] | None:
        """Return the path of a file as shown to the user, and its content; None if it does not exist."""
        host = self.on_host(path)
        if host is not None:
            with host_errors():
                content = read_or_none(host)
            if content is None:
                return None
            self.seen.add(self.shown(host))
            return self.shown(host), content
        content = self._elsewhere(path)
        return None if content is None else (f"{path} in the container", content)

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
        folder, _, name = pattern.rpartition("/")
        found = {mount.target for mount in self._service.mounts if fnmatch.fnmatch(mount.target, pattern)}
        host = on_host(self._service.mounts, folder)
        if host is not None and (self._root / host).is_dir():
            found |= {
                f"{folder}/{path.name}" for path in (self._root / host).iterdir() if fnmatch.fnmatch(path.name, name)
            }
        return sorted(found)


def read_configuration(files: ContainerFiles, environment: Mapping[str, str]) -> tuple[Directive, ...]:
    """Return the whole configuration, with includes expanded; empty if there is none.

    Raises:
        ProxyRejected: a file is not nginx's syntax.
    """
    included = partial(_included, files)
    main = files.read(f"{NGINX.mount}/nginx.conf") if files.on_host(f"{NGINX.mount}/nginx.conf") else None
    if main is not None:
        return tuple(expand(parse(main[1], main[0]), included))
    parts: list[Directive] = []
    for pattern in (f"{NGINX.mount}/conf.d/*.conf", f"{NGINX.mount}/sites-enabled/*"):
        for path in files.glob(pattern):
            found = files.read(path)
            parts += expand(parse(found[1], found[0]), included) if found else ()
    for path in files.glob(f"{_TEMPLATES}/*.template"):
        found = files.read(path)
        if found is not None:
            text = _VARIABLE.sub(lambda match: environment.get(match[1] or match[2], match[0]), found[1].decode())
            parts += expand(parse(text.encode(), found[0]), included)
    return tuple(parts)


def _included(files: ContainerFiles, include: Directive) -> list[tuple[bytes, str]] | None:
    if include.arg.endswith(_COPIES) and files.is_stackctls:
        return []
    path = include.arg if include.arg.startswith("/") else f"{NGINX.mount}/{include.arg}"
    is_pattern = any(char in path for char in "*?[")
    found = [files.read(name) for name in (files.glob(path) if is_pattern else [path])]
    if not is_pattern and found == [None]:
        return None
    return [(part[1], part[0]) for part in found if part]
