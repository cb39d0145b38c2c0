"""Find the engine that the command ``docker`` uses: the SDK knows environment variables only, and no contexts.

Docker's order: ``DOCKER_HOST``, ``DOCKER_CONTEXT``, then ``currentContext`` in the user's config.json.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from stackctl.adapters.net.own import is_this_host
from stackctl.errors import EngineError
from stackctl.reading import read_regular

_DEFAULT = "default"
_SOCKET = "unix:///var/run/docker.sock"
_LOCAL_SCHEMES = {"unix", "npipe", "fd", "http+unix"}
CERTIFICATES = ("ca.pem", "cert.pem", "key.pem")


@dataclass(frozen=True, slots=True)
class DockerEndpoint:
    """The address of an engine.

    Attributes:
        url: its address, as in ``DOCKER_HOST``.
        origin: what names it, for messages; empty for Docker's default.
        certificates: the directory of the client's TLS files, or None without TLS.
        verify: whether the certificate of the engine is verified.
    """

    url: str
    origin: str = ""
    certificates: Path | None = None
    verify: bool = True

    def __str__(self) -> str:
        return f"{self.url} ({self.origin})" if self.origin else self.url

    @property
    def rootless(self) -> bool:
        """Whether the socket is where a rootless engine of one user has it."""
        return self.url.startswith("unix:///run/user/")


def find_endpoint(environ: Mapping[str, str], home: Path | None) -> DockerEndpoint:
    """Return the engine that ``docker`` uses with this environment; ``home`` is the user's home directory.

    Raises:
        EngineError: the context does not exist, cannot be read, or its engine is on another host.
    """
    if host := environ.get("DOCKER_HOST"):
        tls = environ.get("DOCKER_TLS_VERIFY") or None
        certificates = environ.get("DOCKER_CERT_PATH") or None
        folder = Path(certificates) if certificates else _folder(environ, home) if tls else None
        return _of_this_host(DockerEndpoint(host, "DOCKER_HOST", folder, verify=tls is not None))
    folder = _folder(environ, home)
    name, origin = environ.get("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
    if not name:
        name, origin = _current(folder), "docker context use"
    if not name or name == _DEFAULT:
        return DockerEndpoint(_SOCKET)
    return _of_this_host(_context(folder, name, origin))


def _folder(environ: Mapping[str, str], home: Path | None) -> Path | None:
    if named := environ.get("DOCKER_CONFIG"):
        return Path(named)
    return None if home is None else home / ".docker"


def _current(folder: Path | None) -> str | None:
    """Return the current context; as for docker, a file that cannot be read names none."""
    found = None if folder is None else _json(folder / "config.json")
    name = found.get("currentContext") if found else None
    return name if isinstance(name, str) else None


def _context(folder: Path | None, name: str, origin: str) -> DockerEndpoint:
    contexts = None if folder is None else folder / "contexts"
    key = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()
    meta = None if contexts is None else _json(contexts / "meta" / key / "meta.json")
    if contexts is None or meta is None:
        raise EngineError(
            f"the Docker context {name!r} does not exist or cannot be read",
            where=origin,
            hint="choose another one: 'docker context ls' lists them, 'docker context use NAME' selects one",
        )
    endpoints = meta.get("Endpoints")
    docker = endpoints.get("docker") if isinstance(endpoints, dict) else None
    host = docker.get("Host") if isinstance(docker, dict) else None
    if not isinstance(docker, dict) or not isinstance(host, str) or not host:
        raise EngineError(
            f"the Docker context {name!r} names no engine",
            where=origin,
            hint="create it again with 'docker context create', or select another with 'docker context use NAME'",
        )
    files = contexts / "tls" / key / "docker"
    certificates = files if any((files / file).is_file() for file in CERTIFICATES) else None
    return DockerEndpoint(host, f"context {name}", certificates, verify=not docker.get("SkipTLSVerify"))


def _json(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(read_regular(path))
    except (OSError, ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _of_this_host(endpoint: DockerEndpoint) -> DockerEndpoint:
    """Refuse an engine of another host: the directories that containers mount would be those of that host."""
    if _is_local(endpoint.url):
        return endpoint
    raise EngineError(
        f"the Docker Engine at {endpoint} is not on this host: its containers would mount directories of its own host",
        hint="run stackctl on that host, or select an engine of this one:"
        " 'docker context use default', without DOCKER_HOST and DOCKER_CONTEXT",
    )


def _is_local(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return False
    if parts.scheme in _LOCAL_SCHEMES:
        return True
    if parts.scheme not in {"tcp", "http", "https"} or not host:
        return False
    return is_this_host(host)
