"""``block`` with a list of addresses: the list is checked, served, recorded and restored like the Compose file."""

from __future__ import annotations

import pytest

from stackctl.engine.probe import trace
from stackctl.errors import StackfileError
from stackctl.model.fields import Request
from stackctl.model.request_values import client
from stackctl.model.values import Domain
from stackctl.usecases.explain import explain
from tests.usecases.world import World, data, done

LIST = "lists/blocked.txt"
KEY = f"  block: {{addresses: [198.51.100.7], lists: [{LIST}]}}\n"


@pytest.fixture
def blocking(site: World) -> World:
    (site.root / "lists").mkdir()
    (site.root / LIST).write_text("192.0.2.0/24  # a scanner\n")
    site.edit("  agree-tos: true\n", f"  agree-tos: true\n{KEY}")
    done(site.up())
    return site


def rows(world: World) -> list[str]:
    text = (world.root / "nginx/live/snippets/listed.http").read_text()
    return [line.split()[0] for line in text.splitlines() if line.endswith(" 1;")]


def test_an_edit_of_a_list_is_a_change_that_can_be_taken_back(blocking: World) -> None:
    assert rows(blocking) == ["192.0.2.0/24", "198.51.100.7/32"]
    assert "if ($edge_listed)" in (blocking.root / "nginx/live/sites/one.example.com.conf").read_text()
    assert not blocking.up().plan
    (blocking.root / LIST).write_text("203.0.113.0/24\n")
    done(blocking.up())
    assert rows(blocking) == ["198.51.100.7/32", "203.0.113.0/24"]
    done(blocking.rollback())
    assert (blocking.root / LIST).read_text() == "192.0.2.0/24  # a scanner\n"
    assert "192.0.2.0/24" in rows(blocking)


def test_a_line_that_is_no_network_changes_nothing(blocking: World) -> None:
    before = rows(blocking)
    (blocking.root / LIST).write_text("203.0.113.0/24\nexample.com\n")
    with pytest.raises(StackfileError, match="is not a network") as caught:
        blocking.up()
    assert caught.value.where == f"{LIST}:2"
    assert rows(blocking) == before


@pytest.mark.parametrize(
    ("source", "network"),
    [("192.0.2.7", "192.0.2.0/24"), ("198.51.100.7", "198.51.100.7/32"), ("203.0.113.1", None), ("2001:db8::1", None)],
)
def test_explain_says_whether_a_client_is_refused(
    blocking: World, monkeypatch: pytest.MonkeyPatch, source: str, network: str | None
) -> None:
    monkeypatch.setattr(trace, "LOG_SECONDS", 0.0)
    shown = data(explain(blocking.host, Domain("one.example.com"), Request("GET", "/", source=client(source))))
    found = [row["text"] for row in shown["links"] if row["link"] == "access"]
    assert found == ([f"the proxy answers 403: {network} is in 'block'"] if network else [])
    assert shown["whole"] is (network is None)
