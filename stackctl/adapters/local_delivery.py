"""Deliver the proxy's files through the stack's directory, which the proxy's container mounts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from stackctl.adapters.disk.generations import Generations
from stackctl.adapters.disk.history import History
from stackctl.model.layout import HISTORY
from stackctl.model.project import Project
from stackctl.observed.containers import Output
from stackctl.observed.ports import Containers, Engine, Images, Orchestrator, Sandbox
from stackctl.proxies.proxy import ProxyLayout


def local_engine(
    root: Path, orchestrator: Orchestrator, images: Images, containers: Containers, sandbox: Sandbox
) -> Engine:
    """Return the ports of an engine whose containers mount the stack's directory ``root``."""

    def delivery(layout: ProxyLayout) -> LocalDelivery:
        return LocalDelivery(root, layout, sandbox)

    return Engine(orchestrator, images, containers, sandbox, delivery)


class LocalDelivery(Generations):
    """The :class:`~stackctl.observed.ports.Delivery` of every engine on this host."""

    def __init__(self, root: Path, layout: ProxyLayout, sandbox: Sandbox) -> None:
        super().__init__(root, layout, History(root / HISTORY).generations)
        self._tmpfs = layout.tmpfs
        self._sandbox = sandbox

    def test(self, command: Sequence[str], project: Project, service: str) -> Output:
        """See :meth:`Delivery.test`.

        Never in the running proxy: what its name server knows now may be gone at the next start.
        """
        resolved = project.services[service]
        return self._sandbox.run_once(resolved.image or "", command, resolved, self._tmpfs)
