"""For every damage of certbot's tree: what 'doctor' advises is done, and then it is content."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from stackctl.plan.certificates import Issue
from stackctl.plan.repair import RepairLineage
from tests.usecases.world import World, data, done

pytestmark = pytest.mark.slow

ONE, TWO = "one.example.com", "two.example.com"
CONF = "data/certbot/conf"
KINDS = ("cert", "chain", "fullchain", "privkey")


def deleted(path: Path) -> None:
    path.unlink()


def empty(path: Path) -> None:
    path.write_bytes(b"")


def truncated(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] or b"-----BEGIN CERTIFICATE-----\nMII")


def garbage(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 8)


def a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def others(path: Path) -> None:
    """The file of another lineage: another key, other names, another renewal file."""
    other = Path(re.sub(r"\d\.pem", "1.pem", str(path).replace(ONE, TWO)))
    path.write_bytes(other.read_bytes())


def a_copy(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere.pem")


def open_to_all(path: Path) -> None:
    path.chmod(0o644)


DAMAGES = (deleted, empty, truncated, garbage, a_directory, others, a_copy, dangling, open_to_all)
LIVE = [f"live/{ONE}/{kind}.pem" for kind in KINDS]
ARCHIVE = [f"archive/{ONE}/{kind}{{version}}.pem" for kind in KINDS]
RENEWAL = f"renewal/{ONE}.conf"


CONTENT = (empty, truncated, garbage, others)
CASES = [
    *((file, damage, 1) for file in LIVE for damage in (deleted, a_directory, a_copy, dangling)),
    *((file, damage, 1) for file in (*ARCHIVE, RENEWAL) for damage in DAMAGES),
    *((file, damage, 2) for file in ARCHIVE for damage in CONTENT),
]
"""A link of ``live/`` leads to the same content as the file in ``archive/``."""

QUICK = [case for case in CASES if case[0] in {LIVE[0], ARCHIVE[-1], RENEWAL} or case[1] is truncated]
"""Every damage of a link, of the key and of the renewal file, and one of every file; all of them take some seconds."""


def version(world: World) -> int:
    return len(list((world.root / CONF / "archive" / ONE).glob("cert*.pem")))


def advised(world: World) -> list[str]:
    """What ``doctor`` says to do, of each check that is wrong."""
    world.doctor()
    rows = [row for section in data(world.diagnosis)["sections"] for row in section["checks"]]
    assert not any("renewal-loop" in row["name"] for row in rows if row["verdict"] == "wrong")
    return [f"{row['name']}: {row['text']} -> {row['todo']}" for row in rows if row["verdict"] == "wrong"]


def follow(world: World, advice: str) -> None:
    """Do what is advised: the first command in it."""
    todo = advice.partition(" -> ")[2]
    match = re.search(r"stackctl (up|renew --force (\S+?)|renew)(?:'|$)", todo)
    mode = re.match(r"chmod (\d+) (\S+)", todo)
    if match is not None:
        command, _, name = match[1].partition(" --force ")
        world.up() if command == "up" else world.renew(*([name] if name else []))
    elif mode is not None:
        (world.root / mode[2]).chmod(int(mode[1], 8))
    else:
        raise AssertionError(f"there is no command to follow in: {advice}")


def cure(world: World, most: int = 2) -> list[str]:
    """Follow the advice until ``doctor`` is content, and return it; it may change, but not go in a circle."""
    followed: list[str] = []
    while advice := advised(world):
        assert advice[0] not in followed, f"a circle: {followed}"
        assert len(followed) < most, followed
        followed.append(advice[0])
        follow(world, advice[0])
    return followed


@pytest.mark.parametrize(
    ("file", "damage", "versions"),
    [pytest.param(*case, marks=() if case in QUICK else pytest.mark.slow) for case in CASES],
    ids=lambda one: str(getattr(one, "__name__", one)).replace(ONE, "N"),
)
def test_what_doctor_advises_cures(two: World, file: str, damage: Callable[[Path], None], versions: int) -> None:
    world = two
    if versions == 2:
        world.clock.now += timedelta(days=1)
        done(world.renew(ONE))
    path = world.root / CONF / file.format(version=version(world))
    damage(path)
    other = world.fake.loaded[TWO]
    cure(world)
    assert world.served() == {ONE: "real", TWO: "real"}
    assert world.fake.loaded[TWO] == other
    assert world.fake.loaded[ONE].covers(ONE)
    assert not world.up().plan


def links(world: World) -> dict[str, str]:
    live = world.root / CONF / "live" / ONE
    return {path.name: str(path.readlink()) for path in sorted(live.iterdir()) if path.is_symlink()}


def without_links(world: World) -> None:
    for kind in KINDS:
        (world.root / CONF / "live" / ONE / f"{kind}.pem").unlink()


def without_live(world: World) -> None:
    shutil.rmtree(world.root / CONF / "live")


def only_copies(world: World) -> None:
    for kind in KINDS:
        a_copy(world.root / CONF / "live" / ONE / f"{kind}.pem")


def copies_without_archive(world: World) -> None:
    only_copies(world)
    shutil.rmtree(world.root / CONF / "archive" / ONE)


def without_renewal(world: World) -> None:
    (world.root / CONF / RENEWAL).unlink()


def cut_renewal(world: World) -> None:
    path = world.root / CONF / RENEWAL
    path.write_text(path.read_text().partition("server =")[0])


def another_key_of_two(world: World) -> None:
    """Only where a version before it is whole."""
    world.clock.now += timedelta(days=1)
    done(world.renew(ONE))
    garbage(world.root / CONF / "archive" / ONE / f"privkey{version(world)}.pem")


def mixed_links(world: World) -> None:
    world.clock.now += timedelta(days=1)
    done(world.renew(ONE))
    link = world.root / CONF / "live" / ONE / "privkey.pem"
    link.unlink()
    link.symlink_to(f"../../archive/{ONE}/privkey1.pem")


def old_links(world: World) -> None:
    world.clock.now += timedelta(days=1)
    done(world.renew(ONE))
    for kind in KINDS:
        link = world.root / CONF / "live" / ONE / f"{kind}.pem"
        link.unlink()
        link.symlink_to(f"../../archive/{ONE}/{kind}1.pem")


WITHOUT_CA = (
    without_links,
    without_live,
    only_copies,
    copies_without_archive,
    without_renewal,
    cut_renewal,
    another_key_of_two,
    mixed_links,
    old_links,
)


@pytest.mark.parametrize("running", [True, False], ids=["running", "down"])
@pytest.mark.parametrize("damage", WITHOUT_CA, ids=lambda damage: str(damage.__name__).replace("_", " "))
def test_a_tree_that_has_everything_is_mended_without_a_ca(
    site: World, damage: Callable[[World], None], running: bool
) -> None:
    damage(site)
    if not running:
        done(site.down())
    served = site.fake.loaded.get(ONE)
    issued, calls = len(site.fake.ca.issued), len(site.fake.calls)
    result = done(site.up())
    kinds = [type(one) for one in result.plan.operations]
    assert RepairLineage in kinds
    assert Issue not in kinds
    assert len(site.fake.ca.issued) == issued
    assert not any(call.startswith("issue") for call in site.fake.calls[calls:])
    assert site.served() == {ONE: "real"}
    if running and damage not in {old_links, mixed_links, another_key_of_two}:
        assert site.fake.loaded[ONE] == served
    assert sorted(links(site)) == [f"{kind}.pem" for kind in KINDS]
    assert advised(site) == []
    assert not site.up().plan
    site.clock.now += timedelta(days=70)
    assert [row["status"] for row in data(done(site.renew()))["apps"]] == ["renewed"]


def test_a_key_that_was_overwritten_is_replaced_in_one_step(two: World) -> None:
    others(two.root / CONF / "archive" / ONE / "privkey1.pem")
    assert len(cure(two, most=1)) == 1
