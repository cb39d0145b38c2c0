"""The :class:`~stackctl.observed.ports.Engine` of Docker: Compose for its files, the SDK for the rest."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from stackctl.adapters.docker.archive import untar
from stackctl.adapters.docker.compose import Compose
from stackctl.adapters.docker.inspected import inspected
from stackctl.errors import EngineError
from stackctl.model.endpoints import PortBinding
from stackctl.model.project import ROLE_LABEL, Project
from stackctl.observed.containers import Inspected
from stackctl.observed.ports import EngineVersion, Output
from stackctl.observed.state import Container
from stackctl.stackfile.locate import ComposeFiles

if TYPE_CHECKING:
    from docker import DockerClient

_logger = logging.getLogger(__name__)
_COMPOSE = "com.docker.compose"
_AT_ONCE = 16
"""Containers stopped at once."""

_NO_ENGINE = "start Docker ('systemctl start docker'), or point DOCKER_HOST at an engine you may use"


@contextmanager
def _translated() -> Iterator[None]:
    """The SDK's exceptions as ours: the one place that knows them."""
    import requests
    from docker.errors import APIError, DockerException, ImageNotFound

    try:
        yield
    except ImageNotFound as error:
        raise EngineError(f"there is no such image: {error.explanation}") from error
    except APIError as error:
        raise EngineError(f"Docker refused: {error.explanation or error}") from error
    except (DockerException, requests.exceptions.RequestException) as error:
        raise EngineError("no Docker Engine answers", hint=_NO_ENGINE) from error


class DockerEngine:
    """Docker Compose on the local Docker Engine."""

    def __init__(self, files: ComposeFiles) -> None:
        self._directory = files.directory
        self._compose = Compose(files)

    @cached_property
    def _client(self) -> DockerClient:
        import docker

        with _translated():
            # The API version is negotiated: engines differ in the oldest and the newest they speak.
            return docker.from_env(version="auto")

    def version(self) -> EngineVersion:
        """See :meth:`Engine.version`."""
        with _translated():
            told = self._client.info()
            return EngineVersion(str(told["ServerVersion"]), self._client.api.api_version, told.get("DockerRootDir"))

    def compose_version(self) -> str:
        """See :meth:`Engine.compose_version`."""
        return self._compose.version()

    def resolve(self, stackfile: str) -> Project:
        """See :meth:`Engine.resolve`."""
        with ThreadPoolExecutor(1) as pool:
            project = pool.submit(self._compose.resolve, stackfile)
            # The SDK takes as long to import as Compose takes to answer: both at once.
            with suppress(EngineError):
                _ = self._client
            return project.result()

    def containers(self, project: str) -> tuple[Container, ...]:
        """See :meth:`Engine.containers`."""
        with _translated():
            filters = {"label": [f"{_COMPOSE}.project={project}", f"{_COMPOSE}.oneoff=False"]}
            # The list's own rows: an inspect of each would cost a call a container.
            rows = self._client.api.containers(all=True, filters=filters)
        return tuple(_container(row) for row in rows)

    def inspect(self, container: str) -> Inspected:
        """See :meth:`Engine.inspect`."""
        with _translated():
            return inspected(self._client.api.inspect_container(container))

    def image_id(self, image: str) -> str | None:
        """See :meth:`Engine.image_id`."""
        found = self._image(image)
        return None if found is None else str(found["Id"])

    def exposed_ports(self, image: str) -> tuple[int, ...]:
        """See :meth:`Engine.exposed_ports`."""
        found = self._image(image) or {}
        ports = (found.get("Config") or {}).get("ExposedPorts") or {}
        return tuple(sorted(int(port.split("/")[0]) for port in ports if port.endswith("/tcp")))

    def _image(self, image: str) -> dict[str, Any] | None:
        from docker.errors import NotFound

        with _translated():
            try:
                return dict(self._client.api.inspect_image(image))  # type: ignore[no-untyped-call]
            except NotFound:
                return None

    def pull(self, image: str) -> None:
        """See :meth:`Engine.pull`."""
        try:
            with _translated():
                self._client.images.pull(
                    image if ":" in image.rsplit("/", 1)[-1] or "@" in image else f"{image}:latest"
                )
        except EngineError as error:
            raise EngineError(
                f"the image {image} is neither on this host nor to be had: {error.message}",
                hint="build it, correct its name, or log in to its registry ('docker login')",
            ) from error

    def up(self, services: Sequence[str]) -> None:
        """See :meth:`Engine.up`."""
        self._compose.run("up", "--detach", "--no-color", "--quiet-pull", *services)

    def down(self) -> None:
        """See :meth:`Engine.down`."""
        self._compose.run("down", "--remove-orphans")

    def remove(self, ids: Sequence[str]) -> None:
        """See :meth:`Engine.remove`."""
        _ = self._client  # before there are threads that would each make one
        # All at once: one that does not listen costs the ten seconds that Docker waits for it.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._remove, ids))

    def _remove(self, container: str) -> None:
        from docker.errors import NotFound

        with _translated(), suppress(NotFound):
            self._client.api.stop(container)
            self._client.api.remove_container(container, force=True)

    def run_once(self, image: str, command: Sequence[str], mounts: Mapping[str, str]) -> Output:
        """See :meth:`Engine.run_once`."""
        _logger.debug("docker run --rm %s %s", image, shlex.join(command))
        with _translated():
            container = self._client.containers.create(
                image,
                entrypoint=[command[0]],
                command=list(command[1:]),
                volumes={str(self._directory / path): {"bind": at, "mode": "ro"} for path, at in mounts.items()},
                network_mode="none",
                read_only=True,
                tmpfs={"/run": "", "/tmp": "", "/var/cache/nginx": ""},  # noqa: S108  (inside the container)
                security_opt=["no-new-privileges:true"],
            )
            try:
                container.start()
                code = container.wait()["StatusCode"]
                return Output(int(code), container.logs().decode("utf-8", "replace"))
            finally:
                container.remove(force=True)

    def publisher(self, at: PortBinding) -> str | None:
        """See :meth:`Engine.publisher`."""
        with _translated():
            rows = self._client.api.containers(filters={"publish": str(at.port)})
        for row in rows:
            for port in row.get("Ports") or ():
                taken = port.get("IP", "")
                clash = at.address is None or taken in {"0.0.0.0", "::", at.address.strip("[]")}  # noqa: S104
                if port.get("PublicPort") == at.port and clash:
                    return f"the container {row['Names'][0].lstrip('/')}"
        return None

    def execute(self, container: str, command: Sequence[str]) -> Output:
        """See :meth:`Engine.execute`."""
        _logger.debug("docker exec %s %s", container[:12], shlex.join(command))
        with _translated():
            made = self._client.api.exec_create(container, list(command))
            printed = self._client.api.exec_start(made["Id"])
            code = self._client.api.exec_inspect(made["Id"])["ExitCode"]
        return Output(int(code), printed.decode("utf-8", "replace"))

    def signal(self, container: str, signal: str, process: str) -> bool:
        """See :meth:`Engine.signal`."""
        with _translated():
            first = self._client.api.inspect_container(container)["State"]["Pid"]
            rows = self._client.api.top(container, "-o pid,args")["Processes"]
            titles = {int(pid): arguments for pid, arguments in rows}
            sent = titles.get(first, "").startswith(process)
            if sent:
                _logger.debug("docker kill --signal %s %s", signal, container[:12])
                self._client.api.kill(container, signal)
        return sent

    def stream(self, service: str, command: Sequence[str], stdin: str) -> Iterator[str]:
        """See :meth:`Engine.stream`."""
        return self._compose.lines(["exec", "-T", service, *command], stdin)

    def read_tree(self, role: str, path: str) -> dict[str, bytes]:
        """See :meth:`Engine.read_tree`."""
        labels = [f"{_COMPOSE}.project.working_dir={self._directory}", f"{ROLE_LABEL}={role}"]
        with _translated():
            rows = self._client.api.containers(all=True, filters={"label": labels})
            if not rows:
                raise EngineError(f"no {role} container to read {path} through", hint="run 'stackctl up' as root once")
            chunks, _ = self._client.api.get_archive(rows[0]["Id"], path)
            return untar(b"".join(chunks))

    def log(self, container: str, lines: int) -> str:
        """See :meth:`Engine.log`."""
        with _translated():
            return bytes(self._client.api.logs(container, tail=lines)).decode("utf-8", "replace").strip()

    def follow(self, services: Sequence[str], *, tail: int, follow: bool) -> Iterator[str]:
        """See :meth:`Engine.follow`."""
        options = ["logs", "--no-color", "--tail", str(tail), *(["--follow"] if follow else [])]
        return self._compose.lines([*options, *services])


def _container(row: dict[str, Any]) -> Container:
    labels = row.get("Labels") or {}
    networks = (row.get("NetworkSettings") or {}).get("Networks") or {}
    return Container(
        id=row["Id"],
        service=labels.get(f"{_COMPOSE}.service", ""),
        state=row["State"],
        health=_health(row.get("Status", "")),
        image_id=row["ImageID"],
        config_hash=labels.get(f"{_COMPOSE}.config-hash", ""),
        role=labels.get(ROLE_LABEL),
        succeeded=row["State"] == "exited" and row.get("Status", "").startswith("Exited (0)"),
        directory=labels.get(f"{_COMPOSE}.project.working_dir", ""),
        addresses=tuple(network["IPAddress"] for network in networks.values() if network.get("IPAddress")),
    )


def _health(status: str) -> str | None:
    """Health from a list row's status, such as ``Up 2 seconds (health: starting)``: the API has no field for it."""
    for shown, health in (("(healthy)", "healthy"), ("(unhealthy)", "unhealthy"), ("(health: starting)", "starting")):
        if shown in status:
            return health
    return None
