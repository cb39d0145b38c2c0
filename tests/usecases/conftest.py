from __future__ import annotations

import os
from pathlib import Path

import pytest

from stackctl.engine.apply import prove
from tests.usecases.world import World, done


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The fake's state changes only when it is asked to: a second look shows what the first did."""
    for name in ("SERVICE_SECONDS", "PROXY_SECONDS", "SITE_SECONDS", "OVERLAP_SECONDS"):
        monkeypatch.setattr(prove, name, 0.0)


@pytest.fixture(autouse=True)
def _no_power_cuts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test cuts the power, so nothing has to reach the disk: this is most of the time they would take."""
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty directory."""
    return World(tmp_path / "stack")


@pytest.fixture
def stack(world: World) -> World:
    """A stack without apps."""
    done(world.init())
    return world


@pytest.fixture
def site(stack: World) -> World:
    """A stack with one app, ``one.example.com`` of the service ``one``."""
    done(stack.add("one.example.com"))
    return stack
