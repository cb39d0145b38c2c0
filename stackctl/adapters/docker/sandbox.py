"""The :class:`~stackctl.observed.ports.Sandbox` of Docker."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from stackctl.adapters.docker.client import Client, translated
from stackctl.observed.ports import Output

_logger = logging.getLogger(__name__)


class DockerSandbox:
    """Runs commands in new containers without network and with a read-only root file system."""

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
        self, image: str, command: Sequence[str], mounts: Mapping[str, str], tmpfs: Sequence[str] = ()
    ) -> Output:
        """See :meth:`Sandbox.run_once`."""
        _logger.debug("docker run --rm %s %s", image, shlex.join(command))
        with translated():
            container = self._client.sdk.containers.create(
                image,
                entrypoint=[command[0]],
                command=list(command[1:]),
                volumes={str(self._directory / path): {"bind": at, "mode": "ro"} for path, at in mounts.items()},
                network_mode="none",
                read_only=True,
                tmpfs=dict.fromkeys(tmpfs, ""),
                security_opt=["no-new-privileges:true"],
            )
            try:
                container.start()
                code = container.wait()["StatusCode"]
                return Output(int(code), container.logs().decode("utf-8", "replace"))
            finally:
                container.remove(force=True)
