"""A request that the CA is known to refuse is not sent; the error is of the one site, and the others go on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackctl.errors import ExitCode, IssueFailed
from stackctl.plan.certificates import Issue, RefuseIssue
from tests.usecases.world import OPTIONS, World, done

ONE, TWO = "one.example.com", "two.example.com"


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "stack")
    done(made.init())
    done(made.add(ONE))
    return made


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("co.uk", "co.uk is a public suffix: Let's Encrypt issues only for names below it"),
        ("app.local", "app.local is under .local, which is reserved for multicast DNS (RFC 6762)"),
        ("nas.lan", "nas.lan does not end in a public suffix: .lan is no known top-level domain"),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_add_app_writes_nothing(world: World, name: str, rule: str, dry_run: bool) -> None:
    before, issued = world.tree(), list(world.fake.ca.issued)
    with pytest.raises(IssueFailed) as caught:
        world.add(name, image="two:latest", port=3000, dry_run=dry_run)
    assert caught.value.message == f"{name}: not requested: {rule}"
    assert (caught.value.where or "").startswith("docker-compose.yml:")
    assert "'stackctl … --force' sends the request anyway" in (caught.value.hint or "")
    assert world.tree() == before
    assert world.fake.ca.issued == issued


def test_one_alias_is_enough(world: World) -> None:
    with pytest.raises(IssueFailed, match="is under"):
        world.add(TWO, "www.two.internal", image="two:latest", port=3000)


@pytest.mark.parametrize("options", [{"issue": False}, {"check": False}])
def test_without_a_request_or_with_force_it_is_added(world: World, options: dict[str, Any]) -> None:
    done(world.add("app.local", image="two:latest", port=3000, **options))
    assert world.served()["app.local"] == ("dummy" if "issue" in options else "real")


def test_a_private_ca_is_asked(tmp_path: Path) -> None:
    made = World(tmp_path / "stack")
    done(made.init(replace(OPTIONS, ca="https://ca.example.com/directory")))
    done(made.add("one.local"))
    assert made.served() == {"one.local": "real"}


def test_up_fails_for_that_site_and_the_others_go_on(world: World) -> None:
    world.edit("- one.example.com", "- one.example.com\n        - one.test")
    two = f"  two:\n    image: two:latest\n    x-stackctl: {{domains: [{TWO}], port: 3000}}\n"
    world.edit("services:\n", f"services:\n{two}")
    result = world.up()
    assert result.code == ExitCode.ISSUE_FAILED
    (error,) = result.errors
    assert str(error).startswith("docker-compose.yml:")
    assert "one.example.com: not requested: one.test is under .test" in str(error)
    assert world.served() == {ONE: "real", TWO: "real"}
    kinds = {type(operation) for operation in result.plan.operations}
    assert {RefuseIssue, Issue} <= kinds


def test_doctor_names_the_rule_and_what_to_do(world: World) -> None:
    done(world.add("app.local", image="two:latest", port=3000, issue=False))
    found = world.doctor()
    assert found["app.local"]["limits"] == "wrong"
    assert found[ONE]["limits"] == "ok"


def test_too_many_names_for_the_profile(world: World) -> None:
    names = [f"a{number}.example.com" for number in range(26)]
    done(world.add(names[0], *names[1:], image="two:latest", port=3000))
    world.edit("  agree-tos: true\n", "  agree-tos: true\n  profile: shortlived\n")
    with pytest.raises(IssueFailed, match="26 names are too many for one certificate: Let's Encrypt allows 25 with"):
        world.add("b0.example.com", *[f"b{number}.example.com" for number in range(1, 26)], image="two:latest", port=1)
