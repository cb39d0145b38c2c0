"""A Compose file that was written anew, without x-stackctl, ends no site."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from stackctl.adopt.proposal import Handling
from stackctl.errors import StackfileError
from stackctl.stackfile import edit
from stackctl.stackfile.document import Document
from stackctl.usecases.adopt.take_over import adopt
from tests.usecases.test_adopt import look
from tests.usecases.world import World, done

ONE = "one.example.com"


def without_keys(world: World) -> World:
    doc = Document.parse(world.text, "docker-compose.yml")
    for path in (("x-stackctl",), ("services", "one", "x-stackctl")):
        doc = edit.remove(doc, path)
    world.file.write_text(doc.text)
    return world


@pytest.fixture
def lost(site: World) -> World:
    return without_keys(site)


@pytest.mark.parametrize("command", ["up", "init", "add"])
def test_every_change_is_refused_with_the_ways_out(lost: World, command: str) -> None:
    before = lost.tree()
    commands: dict[str, Callable[[], object]] = {
        "up": lost.up,
        "init": lost.init,
        "add": lambda: lost.add("two.example.com"),
    }
    with pytest.raises(StackfileError, match=f"there is no x-stackctl any more, though {ONE} is served") as caught:
        commands[command]()
    assert lost.tree() == before
    [entry] = {entry.number for entry in lost.host.directory.history.entries()[-1:]}
    assert f"'stackctl rollback {entry}' restores the file with it" in (caught.value.hint or "")
    assert "write 'x-stackctl: {}'" in (caught.value.hint or "")


def test_the_rollback_that_is_named_helps(lost: World) -> None:
    lost.rollback(lost.host.directory.history.entries()[-1].number)
    assert "x-stackctl" in lost.text
    assert not lost.up().plan
    assert lost.served() == {ONE: "real"}


def test_none_can_be_meant(lost: World) -> None:
    lost.file.write_text(f"{lost.text}\nx-stackctl: {{}}\n")
    done(lost.up())
    assert lost.served() == {}


RULES = """\
      routes:
        - {path: /api, service: two, port: 3000, strip: true}
        - match: {header: {x-version: "2"}}
          service: two
          port: 3000
"""


def test_adopt_names_the_sites_whose_rules_it_cannot_read_back(site: World) -> None:
    site.edit("      port: 8000\n", f"      port: 8000\n{RULES}")
    site.edit("\nservices:\n", "\nservices:\n  two:\n    image: two:latest\n")
    done(site.up())
    without_keys(site)
    adoption = look(site)
    assert adoption.stops
    [remark] = adoption.proposal.remarks_of(Handling.UNSUPPORTED)
    assert remark.text == (
        f"{ONE}: its routes cannot be read back from what is served: "
        "'stackctl rollback' restores a Compose file with them"
    )


def test_adopt_makes_a_plain_one_anew(lost: World) -> None:
    done(adopt(lost.host, look(lost)))
    assert "x-stackctl:" in lost.text
    assert lost.served() == {ONE: "real"}
