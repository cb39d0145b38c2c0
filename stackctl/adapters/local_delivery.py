"""Deliver the proxy's files through the stack's directory, which the proxy's container mounts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stackctl.adapters.disk.generations import Generations
from stackctl.adapters.disk.history import History
from stackctl.model.layout import HISTORY, PROXY_MOUNTS
from stackctl.model.project import Project
from stackctl.observed.ports import Containers, Engine, Images, Orchestrator, Output, Sandbox
from stackctl.proxies.proxy import ProxyLayout

_OURS = {place.mount for place in PROXY_MOUNTS}


def local_engine(
    root: Path, orchestrator: Orchestrator, images: Images, containers: Containers, sandbox: Sandbox
) -> Engine:
    """Return the ports of an engine whose containers mount the stack's directory ``root``."""

    def delivery(layout: ProxyLayout) -> LocalDelivery:
        return LocalDelivery(root, layout, orchestrator, images, containers, sandbox)

    return Engine(orchestrator, images, containers, sandbox, delivery)


class LocalDelivery(Generations):
    """The :class:`~stackctl.observed.ports.Delivery` of every engine on this host."""

    def __init__(  # noqa: PLR0913  (the ports that a test of the files takes)
        self,
        root: Path,
        layout: ProxyLayout,
        orchestrator: Orchestrator,
        images: Images,
        containers: Containers,
        sandbox: Sandbox,
    ) -> None:
        super().__init__(root, layout, History(root / HISTORY).generations)
        self._mounts = {layout.directory: layout.mount, **{place.path: place.mount for place in PROXY_MOUNTS}}
        self._tmpfs = layout.tmpfs
        self._orchestrator = orchestrator
        self._images = images
        self._containers = containers
        self._sandbox = sandbox

    def test(self, command: Sequence[str], project: Project, service: str) -> Output:
        """See :meth:`Delivery.test`: in the running proxy if it is current, else in a new container of its image."""
        resolved = project.services[service]
        image = resolved.image or ""
        image_id = self._images.image_id(image)
        for container in self._orchestrator.containers(project.name).of(service):
            current = container.image_id == image_id and container.config_hash == resolved.config_hash
            if container.running and current:
                return self._containers.execute(container.id, command)
        # The user's directives may name files from additional mounts.
        ours = {*self._mounts.values(), *_OURS}
        own = (mount for mount in resolved.mounts if mount.kind == "bind" and mount.target not in ours)
        mounts = self._mounts | {mount.source: mount.target for mount in own}
        return self._sandbox.run_once(image, command, mounts, self._tmpfs)
