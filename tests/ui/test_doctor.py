"""The page Doctor."""

from __future__ import annotations

import pytest

from stackctl.diagnose.check import Section, ok, unknown, wrong
from stackctl.errors import InputError
from stackctl.ui.advice import KNOWN, change_of
from stackctl.ui.views import doctor as view
from tests.ui.conftest import Browser, text_of


def examined(browser: Browser) -> str:
    """The page once the checks are made."""
    shown = browser.get("/doctor")
    while "Examining" in shown:  # each request waits for the server, which makes them in a thread
        shown = browser.get("/doctor")
    return shown


def test_a_stack_that_is_well_says_so(browser: Browser) -> None:
    shown = text_of(examined(browser))
    assert "No problems found" in shown
    assert "one.example.com" in shown


def test_the_first_advice_has_the_button_that_does_it(browser: Browser) -> None:
    fake = browser.world.fake
    fake.remove([number for number, run in fake.runs.items() if run.service.name == "one"])
    shown = examined(browser)
    assert "Do this first" in shown
    assert '<input type="hidden" name="command" value="up">' in shown
    done = browser.apply(browser.plan("advice", command="up"))
    assert "Done." in done
    assert "The stack was changed since" in browser.get("/doctor")
    assert browser.client.get("/doctor?again=1").headers["location"] == "/doctor"
    assert "No problems found" in examined(browser)


def test_it_says_each_thing_once_and_in_its_order() -> None:
    sections = (
        Section("host", (ok("engine", "fine"), wrong("proxy", "is down", "run 'stackctl up'"))),
        Section(
            "a.example.com",
            (
                wrong("dns", "does not resolve", "create a record", "a.example.com"),
                wrong("route", "is not there", "run 'stackctl renew --force a.example.com'", "a.example.com"),
                wrong("dns", "does not resolve", "create a record", "a.example.com"),
                unknown("outside", "cannot be seen", "curl -v http://a.example.com", "a.example.com"),
                unknown("skipped", "not checked"),
            ),
        ),
    )
    found = view.todos(sections, KNOWN)
    assert [(one.about, one.command) for one in found] == [
        ("proxy", ("up",)),
        ("a.example.com", None),
        ("a.example.com", ("renew", "--force", "a.example.com")),
    ]
    assert [one.todo for one in view.elsewhere(sections)] == ["curl -v http://a.example.com"]
    assert [(one.title, one.wrong) for one in view.examined(sections)] == [("host", 1), ("a.example.com", 3)]
    assert view.passed(sections) == 1


@pytest.mark.parametrize("command", ["up", "renew", "renew --changed", "maintenance off a.example.com"])
def test_a_button_is_the_command_that_was_advised(command: str) -> None:
    assert change_of(command.split(), "/").command == f"stackctl {command}"


@pytest.mark.parametrize(
    "command",
    ["", "down", "up --force", "rm -rf /", "renew --force", "cert retire ../x", "cert remove", "maintenance off <b>"],
)
def test_no_other_command_is_run(command: str) -> None:
    with pytest.raises(InputError):
        change_of(command.split(), "/")


def test_a_command_that_is_none_is_refused(browser: Browser) -> None:
    response = browser.post("/change/advice", command="'")
    assert response.status_code == 400
    assert "this is no command" in response.text
