"""Answers of the real programs, kept in ``tests/recorded/``.

``compose/NAME.json`` and ``.hashes`` are what Compose 5.6.1 printed for ``NAME.yml`` in ``/srv/NAME`` by
``config --format json`` and ``config --hash '*'``; ``override.override.yml`` lies over ``override.yml``.
``docker/list.json`` and ``inspect.json`` are what Docker Engine 20.10 answered to ``/containers/json`` and
``/containers/ID/json`` (without HostConfig and GraphDriver) for one container in each state.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

RECORDED = Path(__file__).resolve().parent.parent / "recorded"


def compose_output(name: str, kind: str) -> str:
    """``json`` or ``hashes`` of one Compose file."""
    return (RECORDED / "compose" / f"{name}.{kind}").read_text()


def docker_rows(name: str) -> dict[str, dict[str, Any]]:
    """The rows of ``list`` or ``inspect`` by the service of the container."""
    rows = json.loads((RECORDED / "docker" / f"{name}.json").read_text())
    return {(row.get("Labels") or row["Config"]["Labels"])["com.docker.compose.service"]: row for row in rows}
