"""Read the configuration of a foreign HAProxy in its container, or in its image if it has none."""

from __future__ import annotations

import itertools
import posixpath
import shlex
from collections.abc import Iterator

from stackctl.adapters.nginx_reader import ContainerFiles
from stackctl.adopt.haproxy.reading import Reading, read_haproxy
from stackctl.adopt.haproxy.words import Line, read_lines
from stackctl.engine.adopt.inside import Inside, inside_of
from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.project import Project, Service

_MAINS = ("/usr/local/etc/haproxy/haproxy.cfg", "/etc/haproxy/haproxy.cfg")
"""Where the official images and the distributions have it."""


def read_old_haproxy(context: Context, project: Project, service: Service) -> Reading:
    """Return what the HAProxy of a service serves.

    Raises:
        InputError: its configuration is not there, or HAProxy does not load it either.
    """
    with inside_of(context, project, service) as inside:
        files = ContainerFiles(context.directory.root, service, inside)

        def read(path: str) -> str | None:
            found = files.read(path)
            return None if found is None else found[1].decode("utf-8", "replace")

        given = _given(context, project, service)
        return read_haproxy(_lines(files, inside, given or _MAINS, service, must=bool(given)), read)


def _lines(
    files: ContainerFiles, inside: Inside | None, paths: tuple[str, ...], service: Service, *, must: bool
) -> Iterator[Line]:
    """Yield the lines of all files; without ``must``, of the first that is there."""
    there = False
    for path in (one for given in paths for one in _expanded(inside, given)):
        found = files.read(path)
        if found is None:
            if must:
                raise InputError(f"{path} cannot be read in the container")
            continue
        there = True
        yield from read_lines(found[1].decode("utf-8", "replace"), found[0], service.environment)
        if not must:
            return
    if not there:
        raise InputError(f"none of {', '.join(paths)} is in the container")


def _expanded(inside: Inside | None, path: str) -> list[str]:
    """Return the files of ``-f``: of a directory, those that end with ``.cfg``, by their names."""
    names = [name for name in (inside.tree(path) if inside else {}) if name]
    return sorted(posixpath.join(path, name) for name in names if "/" not in name and name.endswith(".cfg")) or [path]


def _given(context: Context, project: Project, service: Service) -> tuple[str, ...]:
    """Return the files and directories that its running process was given."""
    container = context.orchestrator.containers(project.name).running(service.name)
    for process in context.containers.processes(container.id) if container else ():
        try:
            words = shlex.split(process.command)
        except ValueError:
            continue
        if words and posixpath.basename(words[0]) == "haproxy":
            found = [path for word, path in itertools.pairwise(words) if word == "-f"]
            return tuple(path for path in found if path.startswith("/"))
    return ()
