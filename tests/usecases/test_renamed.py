"""The stack's directory was renamed, or another one has its name: no second project is started, none is replaced."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from stackctl.errors import HostError
from stackctl.usecases.init import InitOptions
from tests.usecases.world import World, done


def moved(site: World, root: Path) -> World:
    """The same stack and engine after ``mv``: containers keep the labels of the old directory."""
    site.root.rename(root)
    twin = World(root)
    fake, old = twin.fake, site.fake
    fake.ca, fake.images, fake.runs, fake.loaded = old.ca, old.images, dict(old.runs), dict(old.loaded)
    fake.loaded_generation, fake.calls = old.loaded_generation, list(old.calls)
    twin.network.take_over(site.network)
    return twin


COMMANDS: dict[str, Callable[[World], object]] = {
    "up": World.up,
    "plan": lambda world: world.up(dry_run=True),
    "add-app": lambda world: world.add("two.example.com"),
    "remove-app": lambda world: world.remove("one.example.com"),
    "init": lambda world: world.init(InitOptions()),
    "status": World.rows,
    "down": World.down,
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_names_the_old_directory_and_both_ways_out(site: World, command: str, tmp_path: Path) -> None:
    old = site.root
    world = moved(site, tmp_path / "web server")
    before, runs = world.tree(), dict(world.fake.runs)
    with pytest.raises(HostError) as refused:
        COMMANDS[command](world)
    assert f"the project {old.name} of {old}, which no longer exists" in str(refused.value)
    assert f"mv '{world.root}' {old}" in (refused.value.hint or "")
    assert f"'name: {old.name}' to docker-compose.yml" in (refused.value.hint or "")
    assert world.tree() == before
    assert world.fake.runs == runs


def test_doctor_says_the_same(site: World, tmp_path: Path) -> None:
    world = moved(site, tmp_path / "web")
    world.doctor()
    assert "the directory was renamed" in str(world.diagnosis.payload)


def test_renamed_back_nothing_is_to_do(site: World, tmp_path: Path) -> None:
    old = site.root
    back = moved(moved(site, tmp_path / "web"), old)
    assert not back.up().plan


def test_with_the_name_in_the_file_the_containers_are_this_stacks(site: World, tmp_path: Path) -> None:
    name = site.root.name
    world = moved(site, tmp_path / "web")
    world.file.write_text(f"name: {name}\n{world.text}")
    done(world.up())
    assert world.served() == {"one.example.com": "real"}
    assert {run.project for run in world.fake.runs.values()} == {name}
    assert not world.up().plan


def test_a_stack_that_is_down_is_recognized_by_its_services(site: World, tmp_path: Path) -> None:
    world = moved(site, tmp_path / "web")
    stopped = {
        number: replace(run, container=replace(run.container, state="exited"))
        for number, run in world.fake.runs.items()
    }
    world.fake.runs = stopped
    with pytest.raises(HostError, match="the directory was renamed"):
        world.up()
    del stopped[next(number for number, run in stopped.items() if run.service.role == "certbot")]
    world.fake.runs = stopped
    assert world.up(dry_run=True).plan, "another project that lost its directory"


def test_a_copy_next_to_the_original_is_a_stack_of_its_own(site: World, tmp_path: Path) -> None:
    shutil.copytree(site.root, tmp_path / "copy", symlinks=True)
    world = World(tmp_path / "copy")
    world.fake.images, world.fake.runs = site.fake.images, dict(site.fake.runs)
    world.fake.loaded_generation = site.fake.loaded_generation
    assert world.up(dry_run=True).plan


def beside(site: World, root: Path) -> World:
    """Another directory with the same project name, on the same engine."""
    twin = World(root)
    (root / "docker-compose.yml").write_text(site.text)
    twin.fake.ca, twin.fake.images, twin.fake.runs = site.fake.ca, site.fake.images, site.fake.runs
    twin.network.take_over(site.network)
    return twin


@pytest.mark.parametrize("command", COMMANDS)
def test_the_stack_of_another_directory_is_not_taken_over(site: World, command: str, tmp_path: Path) -> None:
    """Both directories have one name, so Compose gives both projects one name too."""
    twin = beside(site, tmp_path / "other" / site.root.name)
    before, files = dict(site.fake.runs), twin.tree()
    with pytest.raises(HostError, match="is already used by the stack in") as caught:
        COMMANDS[command](twin)
    assert str(site.root) in caught.value.message
    assert "COMPOSE_PROJECT_NAME=NAME" in (caught.value.hint or "")
    assert site.fake.runs == before
    assert twin.tree() == files


def test_doctor_names_the_other_directory(site: World, tmp_path: Path) -> None:
    twin = beside(site, tmp_path / "other" / site.root.name)
    assert twin.doctor()["host"]["compose-file"] == "wrong"


def test_a_compose_file_in_another_folder_of_the_stack_is_the_same_stack(site: World) -> None:
    (site.root / "deploy").mkdir()
    for key, run in site.fake.runs.items():
        site.fake.runs[key] = replace(run, container=replace(run.container, directory=str(site.root / "deploy")))
    assert not site.up().errors
