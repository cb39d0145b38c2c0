from __future__ import annotations

from pathlib import Path

import pytest

from tests.usecases import age
from tests.usecases.world import World, done, without_waiting


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    without_waiting(monkeypatch)


@pytest.fixture
def _quick_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    """Archives are sealed with a passphrase without pyrage's second of scrypt; pyrage opens them."""
    monkeypatch.setattr("pyrage.passphrase.encrypt", age.encrypt)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty directory."""
    return World(tmp_path / "stack")


@pytest.fixture(scope="session")
def made_stack(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What each ``stack`` is a copy of."""
    world = World(tmp_path_factory.mktemp("made") / "stack")
    with pytest.MonkeyPatch.context() as patch:
        without_waiting(patch)
        done(world.init())
    return world


@pytest.fixture(scope="session")
def made_site(made_stack: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """What each ``site`` is a copy of."""
    world = made_stack.template(tmp_path_factory.mktemp("made") / "stack")
    with pytest.MonkeyPatch.context() as patch:
        without_waiting(patch)
        done(world.add("one.example.com"))
    return world


@pytest.fixture(scope="session")
def made_two(made_site: World, tmp_path_factory: pytest.TempPathFactory) -> World:
    """What each ``two`` is a copy of."""
    world = made_site.template(tmp_path_factory.mktemp("made") / "stack")
    with pytest.MonkeyPatch.context() as patch:
        without_waiting(patch)
        done(world.add("two.example.com"))
    return world


@pytest.fixture
def stack(made_stack: World, tmp_path: Path) -> World:
    """A stack without apps."""
    return made_stack.template(tmp_path / "stack")


@pytest.fixture
def site(made_site: World, tmp_path: Path) -> World:
    """A stack with one app, ``one.example.com`` of the service ``one``."""
    return made_site.template(tmp_path / "stack")


@pytest.fixture
def two(made_two: World, tmp_path: Path) -> World:
    """Two apps with their certificates: ``one.example.com`` and ``two.example.com``."""
    return made_two.template(tmp_path / "stack")
