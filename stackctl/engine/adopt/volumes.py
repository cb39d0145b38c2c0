"""Copy certbot's tree out of a named volume, through a container that mounts it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackctl.adopt.compose_layouts import Layout, mount_of
from stackctl.engine.adopt.inside import LARGEST
from stackctl.engine.context import Context
from stackctl.errors import HostError
from stackctl.model.project import Project
from stackctl.observed.containers import Entry


@dataclass(frozen=True, slots=True)
class TreeVolume:
    """A volume with certbot's tree: the container that it is read through, and where it is mounted there."""

    name: str
    container: str
    path: str

    @property
    def shown(self) -> str:
        """How it is shown to the user."""
        return f"the volume {self.name}"

    def entries(self, context: Context) -> Mapping[str, Entry]:
        """Return everything in the volume."""
        return context.containers.entries(self.container, self.path, LARGEST)


def tree_volume(context: Context, project: Project, layout: Layout, trees: Sequence[str]) -> TreeVolume | None:
    """Return the named volume with certbot's tree; None if it is not in one.

    ``trees`` are the paths that it can have in the proxy's container.

    Raises:
        HostError: no container mounts it yet.
    """
    for path in trees:
        for service in filter(None, (layout.proxy, layout.certbot)):
            mount = mount_of(service.mounts, path)
            if mount is None or mount.kind != "volume":
                continue
            container = context.orchestrator.containers(project.name).best(service.name)
            if container is None:
                raise HostError(
                    f"the certificates are in the volume {mount.source}, and no container mounts it",
                    where=str(service.name),
                    hint="create the containers first: 'docker compose create'",
                )
            return TreeVolume(mount.source, container.id, path)
    return None


def write_entries(found: Mapping[str, Entry], target: Path) -> None:
    """Write directories, files and links below ``target``, which exists, with their modes."""
    for path, entry in sorted(found.items()):
        at = target / path
        at.parent.mkdir(parents=True, exist_ok=True)
        if entry.target is not None:
            at.symlink_to(entry.target)
        elif entry.content is not None:
            at.touch(0o600)
            at.write_bytes(entry.content)
            at.chmod(entry.mode)
        else:
            at.mkdir(0o700, parents=True, exist_ok=True)
    for path, entry in found.items():
        if entry.target is None and entry.content is None:
            (target / path).chmod(entry.mode)
