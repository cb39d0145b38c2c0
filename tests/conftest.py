"""What holds for every test."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from typer.main import get_command

# Times are printed in the user's time zone.
os.environ["TZ"] = "UTC"
time.tzset()

_LONGEST_NAME = 80


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the modules that take longest: beside one that begins last the other workers have nothing to do."""
    ranks: dict[Path, int] = {}
    for item in items:
        rank = next((rank for rank, name in enumerate(("e2e", "slow")) if item.get_closest_marker(name)), 2)
        ranks[item.path] = min(rank, ranks.get(item.path, rank))
    items.sort(key=lambda item: ranks[item.path])


def pytest_collection_finish() -> None:
    """Leave the modules and tests, which stay to the end, out of every later search for garbage."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def _one_command_line() -> Iterator[None]:
    """Build the command line once in a process, not for each command that a test runs in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.testing._get_command", cache(get_command))
        yield


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name cases so that every worker of pytest-xdist finds the same ones: not by addresses and not by random keys."""
    if callable(val) and not isinstance(val, type):
        return str(getattr(val, "__name__", argname))
    return argname if isinstance(val, bytes) and len(val) > _LONGEST_NAME else None
