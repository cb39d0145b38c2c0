"""Files of the user's where stackctl writes: nothing is moved without a line, and a dry run changes nothing."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from stackctl.errors import HostError
from stackctl.usecases.init import InitOptions
from tests.usecases.world import World, done

PROJECT = """\
services:
  front:
    image: one:latest
    volumes:
      - ./nginx/nginx.conf:/etc/nginx/nginx.conf:ro
  other:
    image: two:latest
"""


def made(root: Path, *paths: str) -> None:
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            (root / path).mkdir()
        else:
            (root / path).write_text("mine\n")


@pytest.mark.parametrize(
    "paths",
    [
        ["nginx/nginx.conf"],
        ["nginx/sites/a.conf", "nginx/Dockerfile"],
        ["nginx/snippets/", "nginx/custom/http.conf"],
        ["nginx/live/"],
        ["nginx/live", "nginx/nginx.conf"],
    ],
)
def test_a_taken_folder_is_refused_with_what_to_do(world: World, paths: list[str]) -> None:
    made(world.root, *paths)
    world.file.write_text(PROJECT)
    before = world.tree()
    for dry_run in (True, False):
        with pytest.raises(HostError) as refused:
            world.init(dry_run=dry_run)
        assert refused.value.where == "nginx/"
        assert paths[0].rpartition("/")[0].split("/")[0] in str(refused.value)
        assert "move yours to another name, and the mounts of front; nothing was changed" in (refused.value.hint or "")
        assert world.tree() == before
        assert not (world.root / ".stackctl").exists()
        assert world.fake.runs == {}
    # As advised.
    (world.root / "nginx").rename(world.root / "front-nginx")
    world.file.write_text(PROJECT.replace("./nginx/", "./front-nginx/"))
    done(world.init())
    now = world.tree()
    kept = {path.replace("nginx", "front-nginx", 1): body for path, body in before.items() if path.startswith("nginx")}
    assert {path: now[path] for path in kept} == kept


def test_a_link_of_the_users_is_not_taken_for_one_of_stackctls(world: World) -> None:
    made(world.root, "conf/nginx.conf")
    (world.root / "nginx").mkdir()
    (world.root / "nginx/nginx.conf").symlink_to("../conf/nginx.conf")
    with pytest.raises(HostError, match=r"nginx/nginx\.conf already exists"):
        world.init()
    assert (world.root / "nginx/nginx.conf").readlink() == Path("../conf/nginx.conf")


@pytest.mark.parametrize(
    "paths", [["nginx/Dockerfile", "nginx/conf.d/a.conf"], ["data/postgres/base"], ["nginx/custom/"]]
)
def test_what_is_in_nobodys_way_stays(world: World, paths: list[str]) -> None:
    made(world.root, *paths)
    before = world.tree()
    done(world.init())
    assert {path: body for path, body in world.tree().items() if path in before} == before


@pytest.mark.parametrize("path", ["nginx", "data", "data/certbot"])
def test_a_file_in_the_place_of_a_folder_is_an_error_that_names_it(world: World, path: str) -> None:
    made(world.root, path)
    before = world.tree()
    try:
        errors = [str(error) for error in world.init().errors]
    except HostError as error:
        errors = [str(error)]
    assert path in errors[0]
    now = world.tree()
    assert {one: now[one] for one in before} == before


def edited(root: Path) -> None:
    """As ``sed -i`` leaves a link."""
    path = root / "nginx/nginx.conf"
    text = path.read_text()
    path.unlink()
    path.write_text(f"{text}# mine\n")


def copied(root: Path) -> None:
    """As ``cp -rL`` leaves a directory."""
    shutil.copytree(root / "nginx", root / "copy")
    shutil.rmtree(root / "nginx")
    (root / "copy").rename(root / "nginx")


@pytest.mark.parametrize(("damage", "moved"), [(edited, 1), (copied, 5)])
def test_files_in_the_place_of_links_are_moved_by_a_line_of_the_plan(
    site: World, damage: Callable[[Path], None], moved: int
) -> None:
    damage(site.root)
    before = site.tree()
    shown = site.up(dry_run=True)
    (line,) = [operation.text for operation in shown.plan.operations if operation.text.startswith("move ")]
    assert line.count(".old1") == moved
    assert "nginx/nginx.conf to nginx/nginx.conf.old1" in line
    assert site.tree() == before
    done(site.up())
    now = site.tree()
    assert now["nginx/nginx.conf.old1"] == before["nginx/nginx.conf"]
    assert site.served() == {"one.example.com": "real"}
    assert not site.up().plan


def test_no_dry_run_changes_anything(site: World) -> None:
    done(site.add("two.example.com"))
    made(site.root, "html/index.html", "nginx/conf.d/mine.conf", "notes")
    site.edit("port: 8000\n", "port: 8001\n")
    site.custom("one.example.com.conf", "add_header X-One 1;\n")
    before, runs = everything(site.root), dict(site.fake.runs)
    for shown in (
        site.init(InitOptions(), dry_run=True),
        site.up(dry_run=True),
        site.add("three.example.com", dry_run=True),
        site.add("four.example.com", upstream="10.0.0.1:80", dry_run=True),
        site.remove("two.example.com", dry_run=True),
        site.remove("two.example.com", dry_run=True, delete_cert=True),
        site.renew("one.example.com", dry_run=True),
        site.rollback(dry_run=True),
        site.down(dry_run=True),
    ):
        assert not shown.errors
        assert everything(site.root) == before
        assert site.fake.runs == runs


def everything(root: Path) -> dict[str, tuple[int, int, bytes]]:
    """Every path with its mode, its time and its content, stackctl's own state too."""
    found = {}
    for path in sorted(root.rglob("*")):
        facts = path.lstat()
        body = b"" if path.is_dir() and not path.is_symlink() else path.read_bytes() if path.is_file() else b"link"
        found[str(path.relative_to(root))] = (facts.st_mode, facts.st_mtime_ns, body)
    return found
