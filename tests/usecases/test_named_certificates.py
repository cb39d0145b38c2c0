"""``certificate`` in x-stackctl: a lineage called otherwise than its site, and one that several sites share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from stackctl.errors import ExitCode, InputError
from stackctl.plan.certificates import Issue
from tests.usecases.world import World, done

ONE, TWO = "one.example.com", "two.example.com"


def rename(world: World, old: str, new: str) -> None:
    """What certbot itself would have called it."""
    conf = world.root / "data/certbot/conf"
    shutil.move(conf / "archive" / old, conf / "archive" / new)
    shutil.move(conf / "live" / old, conf / "live" / new)
    shutil.move(conf / "renewal" / f"{old}.conf", conf / "renewal" / f"{new}.conf")
    for link in (conf / "live" / new).iterdir():
        target = str(link.readlink()).replace(f"archive/{old}/", f"archive/{new}/")
        link.unlink()
        link.symlink_to(target)


@pytest.fixture
def named(world: World) -> World:
    done(world.init())
    done(world.add(ONE, service="one", image="one:latest"))
    rename(world, ONE, f"{ONE}-0001")
    world.edit("      port: 8000\n", f"      port: 8000\n      certificate: {ONE}-0001\n")
    return world


def test_a_lineage_of_another_name_is_served_and_nothing_is_requested(named: World) -> None:
    issued = len(named.fake.ca.issued)
    done(named.up())
    assert named.served() == {ONE: "real"}
    assert f"lineages/{ONE}-0001/fullchain.pem".encode() in named.live()[f"sites/{ONE}.conf"]
    assert len(named.fake.ca.issued) == issued
    assert not named.up().plan


def test_it_is_renewed_under_its_own_name(named: World) -> None:
    done(named.up())
    done(named.renew(ONE))
    assert named.served() == {ONE: "real"}
    assert sorted(path.name for path in (named.root / "data/certbot/conf/live").iterdir()) == [f"{ONE}-0001"]


def test_sites_that_share_one_ask_once_with_all_their_names(named: World) -> None:
    done(named.up())
    named.add(TWO, service="two", image="two:latest", issue=False)
    named.edit("      port: 3000\n", f"      port: 3000\n      certificate: {ONE}-0001\n")

    result = done(named.up())

    requests = [operation for operation in result.plan.operations if isinstance(operation, Issue)]
    assert [(request.request.lineage, set(request.request.names)) for request in requests] == [
        (f"{ONE}-0001", {ONE, TWO})
    ]
    assert named.served() == {ONE: "real", TWO: "real"}
    assert not named.up().plan


def test_what_it_covers_besides_is_kept(named: World) -> None:
    done(named.up())
    named.add(TWO, service="two", image="two:latest", issue=False)
    named.edit("      port: 3000\n", f"      port: 3000\n      certificate: {ONE}-0001\n")
    done(named.up())
    done(named.remove(TWO))
    assert not named.up().plan
    done(named.renew(ONE))
    assert set(named.fake.ca.issued[-1]) == {ONE, TWO}


def test_a_failure_is_that_of_all_who_share_it(named: World) -> None:
    done(named.up())
    named.add(TWO, service="two", image="two:latest", issue=False)
    named.edit("      port: 3000\n", f"      port: 3000\n      certificate: {ONE}-0001\n")
    named.fake.faults.issue = {TWO: "dns"}
    result = named.up()
    assert result.code is ExitCode.ISSUE_FAILED
    at = next(index for index, step in enumerate(result.steps) if isinstance(step.operation, Issue))
    assert result.steps[at].status == "failed"
    later = [step for step in result.steps[at + 1 :] if step.operation.scope in {ONE, TWO}]
    assert {step.operation.scope for step in later} == {ONE, TWO}
    assert {step.status for step in later} == {"skipped"}


def test_one_that_is_shared_is_not_deleted(named: World) -> None:
    done(named.up())
    named.add(TWO, service="two", image="two:latest", issue=False)
    named.edit("      port: 3000\n", f"      port: 3000\n      certificate: {ONE}-0001\n")
    done(named.up())
    with pytest.raises(InputError, match="also used by another site"):
        named.remove(TWO, delete_cert=True)
    assert Path(named.root / f"data/certbot/conf/live/{ONE}-0001").is_dir()
