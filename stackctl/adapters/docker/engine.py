"""Docker as an engine: Compose for its own files, the SDK for the rest."""

from __future__ import annotations

from stackctl.adapters.docker.client import Client
from stackctl.adapters.docker.compose import Compose
from stackctl.adapters.docker.containers import DockerContainers
from stackctl.adapters.docker.images import DockerImages
from stackctl.adapters.docker.orchestrator import DockerOrchestrator
from stackctl.adapters.docker.sandbox import DockerSandbox
from stackctl.adapters.local_delivery import local_engine
from stackctl.observed.ports import Engine
from stackctl.stackfile.locate import ComposeFiles


def docker_engine(files: ComposeFiles, client: Client | None = None) -> Engine:
    """Wire the ports of the local Docker Engine for one stack directory, without connecting to it yet."""
    client, compose, root = client or Client(), Compose(files), files.directory
    return local_engine(
        root,
        DockerOrchestrator(client, compose),
        DockerImages(client),
        DockerContainers(client, compose, files.project),
        DockerSandbox(client, root),
    )
