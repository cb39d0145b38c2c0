"""The :class:`~stackctl.observed.ports.Sandbox` of Docker."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from stackctl.adapters.docker.client import Client, translated
from stackctl.errors import EngineError
from stackctl.model.endpoints import PortBinding
from stackctl.model.project import Service
from stackctl.observed.containers import Output

_logger = logging.getLogger(__name__)

_BIND_ANY = {"net.ipv4.ip_nonlocal_bind": "1"}
_BIND_ANY_IPV6 = {"net.ipv6.ip_nonlocal_bind": "1"}
"""For a ``listen`` on a fixed address of the service, which this container does not have."""


class DockerSandbox:
    """Runs commands in new containers with a read-only root file system."""

    def __init__(self, client: Client, directory: Path) -> None:
        self._client = client
        self._directory = directory

    @contextmanager
    def unstarted(self, image: str) -> Iterator[str]:
        """See :meth:`Sandbox.unstarted`."""
        with translated():
            container = self._client.sdk.containers.create(image, entrypoint=["-"], network_mode="none")
        try:
            yield str(container.id)
        finally:
            with translated():
                container.remove(force=True, v=True)

    def run_once(
        self, image: str, command: Sequence[str], like: Service | None = None, tmpfs: Sequence[str] = ()
    ) -> Output:
        """See :meth:`Sandbox.run_once`."""
        _logger.debug("docker run --rm --network none %s %s", image, shlex.join(command))
        with translated():
            container = self._client.sdk.containers.create(
                image,
                entrypoint=[command[0]],
                command=list(command[1:]),
                mounts=list(self._mounts(like)) if like else [],
                extra_hosts=dict(like.extra_hosts) if like else {},
                user=like.user if like else None,
                network_mode="none",
                sysctls=_sysctls(like.addresses) if like else {},
                read_only=True,
                tmpfs=dict.fromkeys(tmpfs, ""),
                security_opt=["no-new-privileges:true"],
                # Nothing answers: musl would wait ten seconds for each name.
                dns=["127.0.0.1"],
                dns_opt=["timeout:1", "attempts:1"],
            )
            try:
                container.start()
                code = container.wait()["StatusCode"]
                return Output(int(code), container.logs().decode("utf-8", "replace"))
            finally:
                container.remove(force=True)

    @contextmanager
    def serving(
        self, service: Service, command: Sequence[str], tmpfs: Sequence[str], beside: str, ports: Collection[int]
    ) -> Iterator[Mapping[int, PortBinding]]:
        """See :meth:`Sandbox.serving`."""
        image = service.image or ""
        _logger.debug("docker run --rm --detach %s %s", image, shlex.join(command))
        with translated():
            networks = list(self._client.sdk.api.inspect_container(beside)["NetworkSettings"]["Networks"])
            if networks == ["host"] or not networks:
                raise EngineError("the running proxy has no network of its own")
            container = self._client.sdk.containers.create(
                image,
                entrypoint=[command[0]],
                command=list(command[1:]),
                user=service.user,
                mounts=list(self._mounts(service)),
                network=networks[0],
                ports={f"{port}/tcp": ("127.0.0.1", 0) for port in ports},  # any free port
                read_only=True,
                tmpfs=dict.fromkeys(tmpfs, ""),
                security_opt=["no-new-privileges:true"],
            )
        made = str(container.id)
        try:
            with translated():
                for name in networks[1:]:
                    self._client.sdk.api.connect_container_to_network(made, name)
                container.start()
                facts = self._client.sdk.api.inspect_container(made)
            if not facts["State"]["Running"]:
                raise EngineError(container.logs(tail=3).decode("utf-8", "replace").strip() or "it ends at once")
            yield {
                int(port.partition("/")[0]): PortBinding("127.0.0.1", int(published[0]["HostPort"]))
                for port, published in facts["NetworkSettings"]["Ports"].items()
                if published
            }
        finally:
            with translated():
                container.remove(force=True, v=True)

    def _mounts(self, service: Service) -> Iterator[Any]:
        from docker.types import Mount

        volumes = {volume.name for volume in self._client.sdk.volumes.list()} if _has_volume(service) else set()
        for mount in service.mounts:
            source = str(self._directory / mount.source) if mount.kind == "bind" else mount.source
            if source in volumes or (mount.kind == "bind" and Path(source).exists()):
                kind: Literal["bind", "volume"] = "bind" if mount.kind == "bind" else "volume"
                yield Mount(mount.target, source, kind, read_only=True)


def _sysctls(addresses: Collection[str]) -> dict[str, str]:
    settings = _BIND_ANY if addresses else {}
    return settings | _BIND_ANY_IPV6 if any(":" in address for address in addresses) else settings


def _has_volume(service: Service) -> bool:
    return any(mount.kind == "volume" for mount in service.mounts)
