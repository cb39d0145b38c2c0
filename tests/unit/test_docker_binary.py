"""Finds Compose: the plugin, the binary on PATH, or that of this environment."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stackctl.adapters.docker.binary import find_compose
from stackctl.errors import EngineError

PLUGIN = '[ "$1 $2 $3" = "compose version --short" ] || exit 1\necho {}'
OWN = '[ "$1 $2" = "version --short" ] || exit 1\necho {}'


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The one folder of PATH, and an environment of Python without Compose."""
    folder = tmp_path / "bin"
    folder.mkdir()
    (tmp_path / "environment").mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(sys, "executable", str(tmp_path / "environment/python"))
    return folder


def program(at: Path, script: str) -> str:
    at.write_text(f"#!/bin/sh\n{script}\n")
    at.chmod(0o755)
    return str(at)


@pytest.mark.parametrize("version", ["2.20.0", "5.6.1", "v2.24", "10.0", "Docker Compose version v2.20.2-desktop.1"])
def test_the_plugin_of_docker_is_taken_first(path: Path, version: str) -> None:
    docker = program(path / "docker", PLUGIN.format(version))
    program(path / "docker-compose", OWN.format("5.0.0"))
    assert find_compose() == [docker, "compose"]


@pytest.mark.parametrize(
    "plugin", ["exit 1", PLUGIN.format("2.19.9"), PLUGIN.format("1.29.2"), PLUGIN.format("unknown")]
)
def test_where_the_plugin_is_missing_or_too_old_the_binary_on_the_path_is_taken(path: Path, plugin: str) -> None:
    program(path / "docker", plugin)
    own = program(path / "docker-compose", OWN.format("2.30.1"))
    assert find_compose() == [own]


def test_the_binary_of_the_environment_is_the_last_choice(path: Path, tmp_path: Path) -> None:
    of_environment = program(tmp_path / "environment/docker-compose", OWN.format("5.6.1"))
    assert find_compose() == [of_environment]
    program(path / "docker-compose", OWN.format("1.29.2"))
    assert find_compose() == [of_environment]
    on_path = program(path / "docker-compose", OWN.format("2.20.0"))
    assert find_compose() == [on_path]


def test_a_version_that_is_too_old_is_named(path: Path) -> None:
    program(path / "docker-compose", OWN.format("1.29.2"))
    with pytest.raises(EngineError, match=r"Compose 1\.29\.2 is too old: 2\.20 or newer is needed") as refused:
        find_compose()
    assert "[compose]" in (refused.value.hint or "")


def test_without_compose_the_hint_says_how_to_install_it(path: Path) -> None:
    program(path / "docker", "exit 1")
    (path / "docker-compose").write_bytes(b"no program at all")
    (path / "docker-compose").chmod(0o755)
    with pytest.raises(EngineError, match="Docker Compose is not installed") as refused:
        find_compose()
    assert "docker-compose-plugin" in (refused.value.hint or "")
