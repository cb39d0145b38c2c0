"""The page Changes."""

from __future__ import annotations

from datetime import timedelta

import pytest

from stackctl.ui.views.history import ago
from stackctl.usecases.history import difference
from tests.ui.conftest import Browser, text_of
from tests.usecases.world import done


def test_each_recorded_state_is_listed_with_its_command(browser: Browser) -> None:
    browser.apply(browser.plan("maintenance-on", name="one.example.com", message="Back <soon>"))
    shown = browser.get("/changes")
    first = text_of(shown.partition('<li class="card">')[2].partition("</li>")[0])
    for text in ("just now", "From the page", "Now", "maintenance on one.example.com", "docker-compose.yml +"):
        assert text in first
    assert "# from the page" not in first
    assert "Roll back to this" not in first
    assert "<soon>" not in shown


def test_any_two_are_compared_and_each_says_what_it_did(browser: Browser) -> None:
    done(browser.world.remove("two.example.com"))
    last = browser.world.host.directory.history.entries()[-1].number
    own = text_of(browser.get(f"/changes/compare?before={last - 1}&after={last}"))
    assert "What was done" in own
    assert "- two.example.com" in own
    both = text_of(browser.get(f"/changes/compare?before=1&after={last}"))
    assert "+ one:" in both
    assert "What was done" not in both
    assert "The files are the same" in browser.get("/changes/compare?before=1&after=1")
    assert difference(browser.world.host, None, 1).files


@pytest.mark.parametrize("query", ["", "after=x", "after=0", "after=99999", "before=1", "before=-1&after=1"])
def test_an_entry_that_is_not_there_is_refused(browser: Browser, query: str) -> None:
    response = browser.client.get(f"/changes/compare?{query}")
    assert response.status_code == 400


def test_a_rollback_shows_its_plan_and_leads_back(browser: Browser) -> None:
    path = browser.world.root / "docker-compose.yml"
    before, number = path.read_bytes(), browser.world.host.directory.history.entries()[-1].number
    done(browser.world.remove("two.example.com"))
    plan = browser.plan("rollback", number=str(number))
    assert f"stackctl rollback {number}" in browser.get(plan)
    assert path.read_bytes() != before
    assert "Done." in browser.apply(plan)
    assert path.read_bytes() == before
    assert browser.post("/change/rollback", number="x").status_code == 400


def test_a_page_that_only_shows_has_no_way_back(browser: Browser) -> None:
    shown = Browser(browser.world, write=False).get("/changes")
    assert "Roll back" not in shown


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (timedelta(seconds=-5), "just now"),
        (timedelta(seconds=59), "just now"),
        (timedelta(seconds=60), "1 minute ago"),
        (timedelta(hours=23), "23 hours ago"),
        (timedelta(days=2), "2 days ago"),
    ],
)
def test_times_are_in_words(passed: timedelta, text: str) -> None:
    assert ago(passed) == text
