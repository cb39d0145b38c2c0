"""The client of the Docker Engine, created on first use, and the translation of its exceptions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stackctl.adapters.docker.causes import engine_error
from stackctl.adapters.docker.endpoint import CERTIFICATES, DockerEndpoint, find_endpoint
from stackctl.errors import EngineError

if TYPE_CHECKING:
    from docker import DockerClient
    from docker.tls import TLSConfig

LABELS = "com.docker.compose"
"""The prefix of Compose's labels."""

_NO_ENGINE = "start Docker ('systemctl start docker'), or point DOCKER_HOST at an engine you may use"
_START_ROOTLESS = "start it with 'systemctl --user start docker', or select another with 'docker context use NAME'"


@contextmanager
def translated(endpoint: DockerEndpoint | None = None) -> Iterator[None]:
    """Translate the SDK's exceptions: the only place that knows them."""
    import requests
    from docker.errors import APIError, DockerException, ImageNotFound

    try:
        yield
    except ImageNotFound as error:
        raise EngineError(f"the image does not exist: {error.explanation}") from error
    except APIError as error:
        found = engine_error(str(error.explanation or error))
        found.message = f"Docker reports an error: {found.message}"
        raise found from error
    except (DockerException, requests.exceptions.RequestException) as error:
        at = f" at {endpoint}" if endpoint is not None and endpoint.origin else ""
        hint = _START_ROOTLESS if endpoint is not None and endpoint.rootless else _NO_ENGINE
        raise EngineError(f"the Docker Engine does not answer{at}", hint=hint, everywhere=True) from error


class Client:
    """The SDK's client, shared by all ports of one engine."""

    @cached_property
    def endpoint(self) -> DockerEndpoint:
        """The engine that the command ``docker``, and so Compose, uses.

        Raises:
            EngineError: it is not on this host, or the context that names it is missing.
        """
        try:
            home = Path.home()
        except RuntimeError:  # the user has no home directory
            home = None
        return find_endpoint(os.environ, home)

    @cached_property
    def sdk(self) -> DockerClient:
        """The client; creating it is slow, as the SDK takes long to import.

        Raises:
            EngineError: the engine does not answer.
        """
        import docker

        endpoint = self.endpoint
        with translated(endpoint):
            # The API version is negotiated: engines differ in the oldest and newest version they support.
            return docker.DockerClient(base_url=endpoint.url, version="auto", tls=_tls(endpoint))

    @cached_property
    def rootless(self) -> bool:
        """Whether the engine runs without root: then its bridge networks cannot be reached from the host."""
        with translated(self.endpoint):
            options = self.sdk.info().get("SecurityOptions") or ()
        return any("name=rootless" in str(option) for option in options)


def _tls(endpoint: DockerEndpoint) -> TLSConfig | bool:
    if endpoint.certificates is None:
        return False
    from docker.tls import TLSConfig

    ca, certificate, key = (endpoint.certificates / file for file in CERTIFICATES)
    pair = (str(certificate), str(key)) if certificate.is_file() and key.is_file() else None
    return TLSConfig(client_cert=pair, ca_cert=str(ca) if ca.is_file() else None, verify=endpoint.verify)
