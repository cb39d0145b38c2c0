"""The client of the Docker Engine, made when it is first needed, and its exceptions as ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from stackctl.errors import EngineError

if TYPE_CHECKING:
    from docker import DockerClient

LABELS = "com.docker.compose"
"""What the names of Compose's labels begin with."""

_NO_ENGINE = "start Docker ('systemctl start docker'), or point DOCKER_HOST at an engine you may use"


@contextmanager
def translated() -> Iterator[None]:
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


class Client:
    """The SDK's client, shared by all ports of one engine."""

    @cached_property
    def sdk(self) -> DockerClient:
        """The client; making it is slow, as the SDK takes long to import.

        Raises:
            EngineError: no engine answers.
        """
        import docker

        with translated():
            # The API version is negotiated: engines differ in the oldest and the newest they speak.
            return docker.from_env(version="auto")
