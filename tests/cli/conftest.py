from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from stackctl.adapters.engines import ENGINES
from stackctl.adapters.fakes.engine import fake_engine
from stackctl.cli.main import app
from stackctl.usecases import session
from tests.usecases import age
from tests.usecases.world import World, done, without_waiting


class Cli:
    """The command line on a fake engine."""

    def __init__(self, world: World) -> None:
        self.world = world

    def __call__(self, *arguments: str, directory: Path | None = None) -> Result:
        at = ["--directory", str(directory or self.world.root)]
        command, *rest = arguments
        return CliRunner().invoke(app, [command, *at, *rest], catch_exceptions=False)

    def json(self, *arguments: str) -> tuple[int, dict[str, Any]]:
        """The exit code and the one object that --output json prints."""
        command, *rest = arguments
        result = self(command, "--output", "json", *rest)
        assert result.stderr == ""
        printed = json.loads(result.stdout)
        assert isinstance(printed, dict)
        return result.exit_code, printed

    def refused(self, code: int, *arguments: str) -> dict[str, Any]:
        """The one error of a command that must fail and change nothing; checked as text and as JSON."""
        before = self.world.tree()
        result = self(*arguments)
        assert result.exit_code == code, result.stdout + result.stderr
        assert all(line.startswith("· ") for line in result.stdout.splitlines()), "nothing but notes"
        assert result.stderr.count("error: ") == 1
        assert "Traceback" not in result.stderr
        again, printed = self.json(*arguments)
        assert again == code
        assert self.world.tree() == before
        assert set(printed) >= {"version", "command", "ok", "errors", "notes"}
        assert (printed["command"], printed["ok"], len(printed["errors"])) == (arguments[0], False, 1)
        error: dict[str, Any] = printed["errors"][0]
        assert set(error) == {"code", "message", "where", "hint"}
        assert error["code"] == code
        for key in ("message", "where", "hint"):
            assert (error[key] or "").replace("\n", "") in result.stderr.replace("\n", "")
        return error


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    without_waiting(monkeypatch)


@pytest.fixture
def _quick_passphrase(monkeypatch: pytest.MonkeyPatch) -> None:
    """Archives are sealed with a passphrase without pyrage's second of scrypt; pyrage opens them."""
    monkeypatch.setattr("pyrage.passphrase.encrypt", age.encrypt)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path / "stack")


@pytest.fixture
def bare(world: World, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line in an empty directory."""
    return on(world, monkeypatch)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What the stack of each ``cli`` is a copy of."""
    world = World(tmp_path_factory.mktemp("made") / "stack")
    with pytest.MonkeyPatch.context() as patch:
        without_waiting(patch)
        done(world.init())
        done(world.add("one.example.com", "www.example.com"))
    return world


@pytest.fixture
def cli(made: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line on a stack with one app, which has an alias."""
    return on(made.template(tmp_path / "stack"), monkeypatch)


def on(world: World, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The command line, connected to the fakes of a world."""
    monkeypatch.setitem(ENGINES, "docker", lambda _files: fake_engine(world.fake))
    monkeypatch.setattr(session, "HostWire", lambda: world.fake)
    monkeypatch.setattr(session, "HostNetwork", lambda _resolver: world.network)
    monkeypatch.setattr(session, "now", world.clock)
    monkeypatch.setattr(session, "PROXIES", world.proxies)
    monkeypatch.delenv("COMPOSE_FILE", raising=False)
    return Cli(world)
