"""The :class:`~stackctl.observed.ports.Containers` of Docker."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path

from stackctl.adapters.docker import processes
from stackctl.adapters.docker.archive import bounded, entries, untar
from stackctl.adapters.docker.client import LABELS, Client, translated
from stackctl.adapters.docker.compose import Compose
from stackctl.adapters.docker.inspected import inspected
from stackctl.adapters.net import sockets
from stackctl.adapters.net.connect import connection_error
from stackctl.errors import EngineError
from stackctl.model.endpoints import PortBinding
from stackctl.model.project import ROLE_LABEL
from stackctl.model.streams import Transport
from stackctl.observed.containers import Container, Entry, Inspected, Output, Process
from stackctl.observed.sockets import Connection

_logger = logging.getLogger(__name__)

_NOT_RUNNING = {404, 409}
"""What the engine answers where there is no such container, or it does not run."""


class DockerContainers:
    """Containers of the local Docker Engine."""

    def __init__(self, client: Client, compose: Compose, project: Path) -> None:
        """``project`` is Compose's project directory."""
        self._client = client
        self._compose = compose
        self._project = project

    def inspect(self, container: str) -> Inspected:
        """See :meth:`Containers.inspect`."""
        with translated():
            return inspected(self._client.sdk.api.inspect_container(container))

    def accepts(self, container: Container, port: int) -> bool | None:
        """See :meth:`Containers.accepts`."""
        try:
            if self._client.rootless:
                with translated():
                    pid = int(self._client.sdk.api.inspect_container(container.id)["State"]["Pid"])
                found = sockets.listening_sockets(pid)
                return None if found is None else any(one.port == port and not one.local for one in found)
        except EngineError:
            return False
        # Docker's bridge networks are reachable from the host.
        addresses = container.addresses
        return any(connection_error(address, port) is None for address in addresses) if addresses else None

    def execute(self, container: str, command: Sequence[str]) -> Output:
        """See :meth:`Containers.execute`."""
        _logger.debug("docker exec %s %s", container[:12], shlex.join(command))
        with translated():
            made = self._client.sdk.api.exec_create(container, list(command))
            printed = self._client.sdk.api.exec_start(made["Id"])
            code = self._client.sdk.api.exec_inspect(made["Id"])["ExitCode"]
        return Output(int(code), printed.decode("utf-8", "replace"))

    def signal(self, container: str, signal: str, processes: tuple[str, ...]) -> bool:
        """See :meth:`Containers.signal`."""
        with translated():
            first = self._client.sdk.api.inspect_container(container)["State"]["Pid"]
            sent = self._titles(container).get(first, "").startswith(processes)
            if sent:
                _logger.debug("docker kill --signal %s %s", signal, container[:12])
                self._client.sdk.api.kill(container, signal)
        return sent

    def _titles(self, container: str) -> dict[int, str]:
        """Return the command lines of the processes; none if the engine's host has no ``ps``, which it runs."""
        from docker.errors import APIError

        try:
            rows = self._client.sdk.api.top(container, "-o pid,args")["Processes"]
        except APIError as error:
            _logger.debug("docker top %s: %s", container[:12], error.explanation)
            return {}
        return {int(pid): arguments for pid, arguments in rows}

    def stream(self, service: str, command: Sequence[str], stdin: str) -> Iterator[str]:
        """See :meth:`Containers.stream`."""
        return self._compose.lines(["exec", "-T", service, *command], stdin)

    def read_tree(self, role: str, path: str) -> dict[str, bytes]:
        """See :meth:`Containers.read_tree`."""
        labels = [f"{LABELS}.project.working_dir={self._project}", f"{ROLE_LABEL}={role}"]
        with translated():
            rows = self._client.sdk.api.containers(all=True, filters={"label": labels})
            if not rows:
                raise EngineError(
                    f"there is no {role} container through which {path} could be read",
                    hint="run 'stackctl up' as root once",
                )
            chunks, _ = self._client.sdk.api.get_archive(rows[0]["Id"], path)
            return untar(b"".join(chunks))

    def entries(self, container: str, path: str, limit: int) -> Mapping[str, Entry]:
        """See :meth:`Containers.entries`."""
        from docker.errors import NotFound

        with translated():
            try:
                chunks, _ = self._client.sdk.api.get_archive(container, path)
                return entries(bounded(chunks, limit, path))
            except NotFound as error:
                if "such container" in str(error.explanation):
                    raise
                return {}

    def processes(self, container: str) -> tuple[Process, ...]:
        """See :meth:`Containers.processes`."""
        try:
            with translated():
                rows = self._client.sdk.api.top(container, "-o pid,etimes,args")["Processes"]
        except EngineError as error:
            if error.everywhere or getattr(error.__cause__, "status_code", None) in _NOT_RUNNING:
                raise
            return self._listed_inside(container, error)
        return tuple(Process(str(arguments), int(seconds), int(pid)) for pid, seconds, arguments in rows)

    def _listed_inside(self, container: str, error: EngineError) -> tuple[Process, ...]:
        """Return the processes as the container itself shows them; ``error`` is why the engine does not."""
        try:
            found = processes.listed(self.execute(container, ["sh", "-c", processes.SCRIPT]).text)
        except (EngineError, ValueError, IndexError):
            found = ()
        if not found:
            raise EngineError(
                f"the processes of the container {container[:12]} cannot be listed: {error.message}",
                hint="'docker top' must work, or the container must have a shell: a rootless engine needs cgroups of"
                " version 2, see 'docker info'",
            ) from error
        return found

    def connections(self, container: str, processes: Collection[int]) -> Mapping[int, tuple[Connection, ...]] | None:
        """See :meth:`Containers.connections`."""
        if not all(sockets.process_is_of(container, pid) for pid in processes):
            return None
        return sockets.connections(processes)

    def log(self, container: str, lines: int) -> str:
        """See :meth:`Containers.log`."""
        with translated():
            return bytes(self._client.sdk.api.logs(container, tail=lines)).decode("utf-8", "replace").strip()

    def publisher(self, at: PortBinding, transport: Transport = Transport.TCP) -> str | None:
        """See :meth:`Containers.publisher`."""
        with translated():
            rows = self._client.sdk.api.containers(filters={"publish": f"{at.port}/{transport}"})
        for row in rows:
            for port in row.get("Ports") or ():
                taken = port.get("IP", "")
                clash = at.address is None or taken in {"0.0.0.0", "::", at.address}  # noqa: S104
                if (port.get("PublicPort"), port.get("Type")) == (at.port, transport) and clash:
                    return f"the container {row['Names'][0].lstrip('/')}"
        return None
