"""Find Compose: the plugin of ``docker``, or the standalone binary."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from stackctl.adapters.docker.children import run
from stackctl.errors import EngineError

OLDEST = (2, 20)
"""The first version of Compose with everything that the Compose file and stackctl use."""

_HINT = (
    "install the Compose plugin (docker-compose-plugin), or stackctl with its extra: pipx install --force '.[compose]'"
)


def find_compose() -> list[str]:
    """Return the Compose command: ``docker compose``, else ``docker-compose`` in PATH or in this environment.

    Raises:
        EngineError: there is none, or only one that is too old (1.x was a different program).
    """
    candidates: list[list[str]] = []
    docker = shutil.which("docker")
    if docker:
        candidates.append([docker, "compose"])
    own = Path(sys.executable).parent / "docker-compose"
    candidates += [[found] for found in (shutil.which("docker-compose"), shutil.which(str(own))) if found]
    too_old: str | None = None
    for command in candidates:
        version = _version(command)
        if version is None:
            continue
        if _numbers(version) >= OLDEST:
            return command
        too_old = version
    if too_old:
        raise EngineError(f"Compose {too_old} is too old: 2.20 or newer is needed", hint=_HINT)
    raise EngineError("Docker Compose is not installed", hint=_HINT)


def _version(command: list[str]) -> str | None:
    try:
        done = run([*command, "version", "--short"], timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = re.search(r"\d+\.\d+(?:\.\d+)*", done.stdout)
    return found[0] if done.code == 0 and found else None


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split("."))
