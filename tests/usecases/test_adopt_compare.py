"""``adopt`` compares the answers of the old proxy and the new one, which runs meanwhile."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.adapters.fakes.wire import MEANWHILE
from stackctl.adopt.comparison import STRANGER
from stackctl.observed.reply import Response
from stackctl.usecases.adopt.adoption import Adoption
from tests.usecases.test_adopt import ONE, look, old
from tests.usecases.world import World

__all__ = ["old"]


def lines(adoption: Adoption) -> list[str]:
    comparison = adoption.report().comparison
    assert comparison is not None
    return [f"{one.request}: {one.what} {one.old}, {one.new}" for one in comparison.differences]


def test_equal_answers_are_reported_as_such_and_nothing_is_changed(old: World) -> None:
    before = old.tree()
    adoption = look(old)
    comparison = adoption.report().comparison
    assert comparison is not None
    assert comparison.problem is None
    # Of each of three servers, and of two for unknown names: the first page by HEAD and GET, and an unknown path.
    assert comparison.requests == 15
    assert lines(adoption) == []
    assert not adoption.differs
    assert old.tree() == before


def test_a_difference_that_is_not_announced_keeps_yes_from_going_on(old: World) -> None:
    old.fake.looks.answers[f"{MEANWHILE + 443} {ONE}/"] = Response(502)
    adoption = look(old)
    assert lines(adoption) == [f"HEAD https://{ONE}/: status 200, 502", f"GET https://{ONE}/: status 200, 502"]
    assert adoption.differs
    assert not look(old, force=True).differs
    assert not adoption.stops, "the user may read it and confirm"


def test_a_header_that_a_remark_names_is_announced(old: World) -> None:
    now = Response(200, (("strict-transport-security", "max-age=1"),))
    old.fake.looks.answers[f"{MEANWHILE + 443} {ONE}/"] = now
    adoption = look(old)
    assert adoption.differs
    expected = {one.expected for one in adoption.report().comparison.differences}  # type: ignore[union-attr]
    assert expected == {False}


def test_the_remark_about_unknown_names_announces_their_answers(old: World) -> None:
    old.fake.looks.answers[f"{MEANWHILE + 443} {STRANGER}/"] = Response(404)
    adoption = look(old)
    remarked = {remark.at for remark in adoption.proposal.remarks}
    for one in adoption.report().comparison.differences:  # type: ignore[union-attr]
        assert one.expected is (one.at in remarked)


def test_without_it_nothing_is_asked(old: World) -> None:
    calls = len(old.fake.calls)
    assert look(old, compare=False).report().comparison is None
    assert not any("serving" in call for call in old.fake.calls[calls:])


def test_an_old_proxy_that_does_not_run_is_not_compared(old: World) -> None:
    for run in list(old.fake.runs.values()):
        if run.service.name == "web":
            old.fake.runs[run.container.id] = replace(run, container=replace(run.container, state="exited"))
    comparison = look(old).report().comparison
    assert comparison is not None
    assert comparison.problem == "the old proxy is not running"


def test_a_new_proxy_that_does_not_start_is_reported_and_stops_nothing(
    old: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stackctl.engine.adopt.compare._START_SECONDS", 0)
    monkeypatch.setattr(type(old.fake), "generation", lambda *_: None)
    comparison = look(old).report().comparison
    assert comparison is not None
    assert comparison.problem == "the new proxy could not be started for it: it does not answer"
    assert not look(old).differs
