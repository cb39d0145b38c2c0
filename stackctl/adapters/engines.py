"""The registry of engines: one line for each package that provides the ports of an engine."""

from __future__ import annotations

from collections.abc import Callable

from stackctl.adapters.docker.engine import docker_engine
from stackctl.observed.ports import Engine
from stackctl.stackfile.locate import ComposeFiles

DEFAULT = "docker"

ENGINES: dict[str, Callable[[ComposeFiles], Engine]] = {
    "docker": docker_engine,
}
"""Functions that wire an engine's ports for one stack directory, by the engine's name; none connects yet."""
