"""Reads the nginx configuration of a container's, as that container sees it, without starting anything."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from stackctl.adapters.disk.files import host_errors, read_or_none
from stackctl.adopt.compose_layouts import on_host
from stackctl.model.project import Service
from stackctl.proxies.nginx.directives import Directive
from stackctl.proxies.nginx.layout import NGINX
from stackctl.proxies.nginx.reader import parse

_DEEPEST = 20
_TEMPLATES = f"{NGINX.mount}/templates"
_COPIES = (".custom", ".location")
"""Copies of a person's own files, which are in nginx/custom/ already where stackctl made the proxy."""

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


class ContainerFiles:
    """The files that a service's container would see; ``elsewhere`` gives those that are nowhere on the host."""

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
        """The name a person knows a file by, and its content; None where there is none."""
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
        """Where a file is on the host, links of the container's followed."""
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
        """A path of the host's, relative to the stack where it is in there."""
        return str(host.relative_to(self._root)) if host.is_relative_to(self._root) else str(host)

    def glob(self, pattern: str) -> list[str]:
        """The files that match, as the container names them, in nginx's order."""
        folder, _, name = pattern.rpartition("/")
        found = {mount.target for mount in self._service.mounts if fnmatch.fnmatch(mount.target, pattern)}
        host = on_host(self._service.mounts, folder)
        if host is not None and (self._root / host).is_dir():
            found |= {
                f"{folder}/{path.name}" for path in (self._root / host).iterdir() if fnmatch.fnmatch(path.name, name)
            }
        return sorted(found)


def read_configuration(files: ContainerFiles, environment: Mapping[str, str]) -> tuple[Directive, ...]:
    """The whole configuration, with what it includes in the places of the includes; empty where there is none.

    Raises:
        ProxyRejected: a file is not nginx's syntax.
    """
    main = files.read(f"{NGINX.mount}/nginx.conf") if files.on_host(f"{NGINX.mount}/nginx.conf") else None
    if main is not None:
        return tuple(_expanded(files, parse(main[1], main[0]), 0))
    parts: list[Directive] = []
    for pattern in (f"{NGINX.mount}/conf.d/*.conf", f"{NGINX.mount}/sites-enabled/*"):
        for path in files.glob(pattern):
            found = files.read(path)
            parts += _expanded(files, parse(found[1], found[0]), 0) if found else ()
    for path in files.glob(f"{_TEMPLATES}/*.template"):
        found = files.read(path)
        if found is not None:
            text = _VARIABLE.sub(lambda match: environment.get(match[1] or match[2], match[0]), found[1].decode())
            parts += _expanded(files, parse(text.encode(), found[0]), 0)
    return tuple(parts)


def _expanded(files: ContainerFiles, directives: Iterable[Directive], depth: int) -> Iterator[Directive]:
    for one in directives:
        if one.name == "include" and one.arg.endswith(_COPIES) and files.is_stackctls:
            continue
        if one.name == "include" and one.args and depth < _DEEPEST:
            path = one.arg if one.arg.startswith("/") else f"{NGINX.mount}/{one.arg}"
            is_pattern = any(char in path for char in "*?[")
            found = [files.read(name) for name in (files.glob(path) if is_pattern else [path])]
            if not is_pattern and found == [None]:
                yield one
            for part in found:
                yield from _expanded(files, parse(part[1], part[0]), depth + 1) if part else ()
        elif one.block is not None:
            yield one.with_block(_expanded(files, one.block, depth))
        else:
            yield one
