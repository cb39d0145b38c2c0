"""The client of the Docker Engine, created on first use, and the translation of its exceptions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from stackctl.errors import EngineError

if TYPE_CHECKING:
    from docker import DockerClient

LABELS = "com.docker.compose"
"""The prefix of Compose's labels."""

_NO_ENGINE = "start Docker ('systemctl start docker'), or point DOCKER_HOST at an engine you may use"


@contextmanager
def translated() -> Iterator[None]:
    """Translate the SDK's exceptions: the only place that knows them."""
    import requests
    from docker.errors import APIError, DockerException, ImageNotFound

    try:
        yield
    except ImageNotFound as error:
        raise EngineError(f"the image does not exist: {error.explanation}") from error
    except APIError as error:
        raise EngineError(f"Docker reports an error: {error.explanation or error}") from error
    except (DockerException, requests.exceptions.RequestException) as error:
        raise EngineError("the Docker Engine does not answer", hint=_NO_ENGINE) from error


class Client:
    """The SDK's client, shared by all ports of one engine."""

    @cached_property
    def sdk(self) -> DockerClient:
        """The client; creating it is slow, as the SDK takes long to import.

        Raises:
            EngineError: the engine does not answer.
        """
        import docker

        with translated():
            # The API version is negotiated: engines differ in the oldest and newest version they support.
            return docker.from_env(version="auto")
