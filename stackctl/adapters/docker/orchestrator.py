"""The :class:`~stackctl.observed.ports.Orchestrator` of Docker: Compose for its files, the SDK for the rest."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from stackctl.adapters.docker.client import LABELS, Client, translated
from stackctl.adapters.docker.compose import Compose
from stackctl.errors import EngineError
from stackctl.model.project import ROLE_LABEL, Project
from stackctl.observed.containers import Container, Deployment, Output
from stackctl.observed.ports import EngineVersion

_AT_ONCE = 16
"""Containers stopped in parallel."""

_GRACE_SECONDS = 10
"""Docker's default time for a container to end after its stop signal."""


class DockerOrchestrator:
    """Docker Compose on the local Docker Engine."""

    def __init__(self, client: Client, compose: Compose) -> None:
        self._client = client
        self._compose = compose

    def version(self) -> EngineVersion:
        """See :meth:`Orchestrator.version`."""
        with translated():
            sdk = self._client.sdk
            info = sdk.info()
            version, rootless = str(info["ServerVersion"]), self._client.rootless
            return EngineVersion(version, sdk.api.api_version, info.get("DockerRootDir"), rootless)

    def compose_version(self) -> str:
        """See :meth:`Orchestrator.compose_version`."""
        return self._compose.version()

    def resolve(self, stackfile: str, texts: Sequence[str] = ()) -> Project:
        """See :meth:`Orchestrator.resolve`."""
        with ThreadPoolExecutor(1) as pool:
            # The SDK takes as long to import as Compose takes to answer: both run in parallel. Compose runs in
            # this thread, where an interruption ends it.
            pool.submit(self._connect)
            return self._compose.resolve(stackfile, texts)

    def _connect(self) -> None:
        with suppress(EngineError):
            _ = self._client.sdk

    def service_names(self, stackfile: str) -> frozenset[str]:
        """See :meth:`Orchestrator.service_names`."""
        return self._compose.service_names(stackfile)

    def attached(self, stackfile: str, project: Project, containers: Deployment) -> Project:
        """See :meth:`Orchestrator.attached`."""
        return self._compose.attached(stackfile, project, containers)

    def containers(self, project: str) -> Deployment:
        """See :meth:`Orchestrator.containers`."""
        with translated():
            filters = {"label": [f"{LABELS}.project={project}", f"{LABELS}.oneoff=False"]}
            # The rows of the list suffice: an inspect would cost one call per container.
            rows = self._client.sdk.api.containers(all=True, filters=filters)
        return Deployment(tuple(_container(row) for row in rows))

    def stacks(self) -> dict[str, str]:
        """See :meth:`Orchestrator.stacks`."""
        with translated():
            rows = self._client.sdk.api.containers(all=True, filters={"label": [f"{ROLE_LABEL}=proxy"]})
        found = [row.get("Labels") or {} for row in rows]
        return {one.get(f"{LABELS}.project", ""): one.get(f"{LABELS}.project.working_dir", "") for one in found}

    def up(self, services: Sequence[str]) -> None:
        """See :meth:`Orchestrator.up`."""
        _ = self._client.endpoint  # refused here if it is not on this host: Compose would use it all the same
        self._compose.run("up", "--detach", "--no-color", "--quiet-pull", *services)

    def add(self, service: str, count: int) -> None:
        """See :meth:`Orchestrator.add`."""
        _ = self._client.endpoint
        # Compose must never scale down: it would remove the newest container.
        options = ["--detach", "--no-color", "--quiet-pull", "--no-deps", "--no-recreate"]
        self._compose.run("up", *options, "--scale", f"{service}={count}", service)

    def run_one_off(self, service: str, command: Sequence[str]) -> Output:
        """See :meth:`Orchestrator.run_one_off`."""
        _ = self._client.endpoint
        return self._compose.run_one_off(service, command)

    def down(self) -> None:
        """See :meth:`Orchestrator.down`."""
        _ = self._client.endpoint
        self._compose.run("down", "--remove-orphans")

    def remove(self, ids: Sequence[str]) -> None:
        """See :meth:`Orchestrator.remove`."""
        _ = self._client.sdk  # before there are threads that would each create one
        # In parallel: a container that ignores the signal costs the ten seconds that Docker waits for it.
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            list(pool.map(self._remove, ids))

    def _remove(self, container: str) -> None:
        from docker.errors import NotFound

        with translated(), suppress(NotFound):
            api = self._client.sdk.api
            # The SDK waits for the response only a little longer than the time that it is given here.
            grace = api.inspect_container(container)["Config"].get("StopTimeout")
            api.stop(container, timeout=_GRACE_SECONDS if grace is None else grace)
            api.remove_container(container, force=True)

    def follow(
        self, services: Sequence[str], *, tail: int | None, follow: bool, since: int | None = None
    ) -> Iterator[str]:
        """See :meth:`Orchestrator.follow`."""
        options = ["logs", "--no-color", "--tail", "all" if tail is None else str(tail)]
        options += [*(["--follow"] if follow else []), *(["--since", f"{since}s"] if since is not None else [])]
        return self._compose.lines([*options, *services])


def _container(row: dict[str, Any]) -> Container:
    labels = row.get("Labels") or {}
    networks = (row.get("NetworkSettings") or {}).get("Networks") or {}
    return Container(
        id=row["Id"],
        service=labels.get(f"{LABELS}.service", ""),
        state=row["State"],
        health=_health(row.get("Status", "")),
        image_id=row["ImageID"],
        name=(row.get("Names") or [""])[0].lstrip("/"),
        config_hash=labels.get(f"{LABELS}.config-hash", ""),
        role=labels.get(ROLE_LABEL),
        succeeded=row["State"] == "exited" and row.get("Status", "").startswith("Exited (0)"),
        directory=labels.get(f"{LABELS}.project.working_dir", ""),
        writes=tuple(
            one["Destination"].rstrip("/")
            for one in row.get("Mounts") or ()
            if one.get("Type") == "volume" and one.get("RW")
        ),
        addresses=tuple(network["IPAddress"] for network in networks.values() if network.get("IPAddress")),
        networks=frozenset(networks),
    )


def _health(status: str) -> str | None:
    """Return the health in a row's status, such as ``Up 2 seconds (health: starting)``: the API has no field for it."""
    for shown, health in (("(healthy)", "healthy"), ("(unhealthy)", "unhealthy"), ("(health: starting)", "starting")):
        if shown in status:
            return health
    return None
