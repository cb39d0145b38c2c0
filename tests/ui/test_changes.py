"""A button shows its plan, and does what its command does."""

from __future__ import annotations

import html
from threading import Event

import pytest

from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.pages import Maintenance
from stackctl.model.values import Domain
from stackctl.ui.changes import FROM_PAGE, Change, Draft
from stackctl.usecases.history import history
from stackctl.usecases.maintenance import maintenance_on
from stackctl.usecases.result import Result
from stackctl.usecases.session import exclusive
from tests.ui.conftest import ORIGIN, Browser, text_of
from tests.usecases.world import World

COMMAND = "stackctl maintenance on one.example.com --message 'Back <soon>'"


def test_a_button_shows_its_plan_and_its_command_and_changes_nothing(browser: Browser) -> None:
    before = browser.world.tree()
    plan = browser.plan("maintenance-on", name="one.example.com", message="Back <soon>")
    shown = browser.get(plan)
    assert html.escape(COMMAND, quote=True).replace("&#x27;", "&#39;") in shown
    for text in ("write docker-compose.yml", "reload the proxy", "+ message: &#34;Back &lt;soon&gt;&#34;"):
        assert text in text_of(shown)
    assert browser.world.tree() == before


def test_an_applied_plan_leaves_what_the_command_leaves_and_history_says_where_it_came_from(
    browser: Browser, made: World, tmp_path_factory: pytest.TempPathFactory
) -> None:
    done = browser.apply(browser.plan("maintenance-on", name="one.example.com", message="Back <soon>"))
    assert "Done." in done
    assert "verify that one.example.com" in done
    by_command = made.template(tmp_path_factory.mktemp("command") / "stack")
    maintenance_on(by_command.host, Domain("one.example.com"), Maintenance(message="Back <soon>"))
    for name in ("docker-compose.yml", "nginx/live/sites/one.example.com.conf"):
        assert (browser.world.root / name).read_bytes() == (by_command.root / name).read_bytes()
    last = history(browser.world.host).payload.entries[-1]
    assert last.command == f"{COMMAND}  {FROM_PAGE}"
    browser.apply(browser.plan("maintenance-off", name="one.example.com"))
    assert "maintenance" not in (browser.world.root / "docker-compose.yml").read_text()


def test_a_deploy_is_offered_even_if_there_is_nothing_to_do_yet(browser: Browser) -> None:
    plan = browser.plan("deploy", name="one.example.com", site="one.example.com")
    shown = browser.get(plan)
    assert "Nothing to do" in shown
    assert "pulled first" in shown
    assert "Nothing had to be changed" in browser.apply(plan)


def test_a_plan_that_is_not_what_was_shown_is_not_applied(browser: Browser) -> None:
    plan = browser.plan("maintenance-on", name="one.example.com", message="Back soon")
    path = browser.world.root / "docker-compose.yml"
    path.write_text(path.read_text().replace("x-stackctl:", "# by hand\nx-stackctl:", 1))
    before = path.read_text()
    shown = browser.apply(plan)
    assert "the plan is another one than the one that was shown" in shown
    assert path.read_text() == before
    again = browser.post(f"{plan}/again")
    assert "Done." in browser.apply(again.headers["location"])
    assert "# by hand" in path.read_text()


@pytest.mark.parametrize(
    ("kind", "fields", "text"),
    [
        ("nothing", {}, "no such change"),
        ("deploy", {"name": "none.example.com"}, "neither a site nor a service"),
        ("deploy", {}, "neither a site nor a service"),
        ("maintenance-on", {"name": "one.example.com", "until": "yesterday"}, "is not a time"),
        ("maintenance-on", {"name": "<b>"}, "&lt;b&gt;"),
    ],
)
def test_a_form_with_a_wrong_value_is_refused_in_words(
    browser: Browser, kind: str, fields: dict[str, str], text: str
) -> None:
    response = browser.post(f"/change/{kind}", **fields)
    assert response.status_code == 400
    assert text in response.text
    assert "<b>&lt;b&gt;" in response.text or "<b><b>" not in response.text


def test_the_holder_of_the_lock_is_shown_and_nothing_is_lost(browser: Browser) -> None:
    plan = browser.plan("maintenance-on", name="one.example.com")
    before = browser.world.tree()
    with exclusive(browser.world.host, 0):
        held = browser.get("/")
        assert "is running on this stack" in held
        failed = browser.apply(plan)
    assert "is running on this stack" in failed
    assert browser.world.tree() == before
    assert "is running on this stack" not in browser.get("/")
    assert "Done." in browser.apply(plan)


def test_a_browser_that_goes_away_changes_nothing_about_the_change(browser: Browser) -> None:
    begun, go_on = Event(), Event()

    def run(_context: Context, dry_run: bool) -> Result[None]:
        if not dry_run:
            begun.set()
            assert go_on.wait(10)
        return Result("test", None, dry_run=dry_run, acted=not dry_run)

    planned = Result("test", None, dry_run=True)
    change = Change("Wait", ("up",), run, beyond="It waits.")
    job = browser.ui.desk.apply(browser.ui.desk.drafts.add(lambda key: Draft(key, change, planned)))
    assert begun.wait(10)
    assert "Wait is being applied" in browser.get("/")
    browser.client.close()
    go_on.set()
    browser.ui.desk.join()
    assert job.result is not None
    assert job.result.changed


def test_steps_are_streamed_in_order_and_can_be_taken_up_again(browser: Browser) -> None:
    plan = browser.plan("maintenance-on", name="one.example.com")
    job = browser.post(f"{plan}/apply").headers["location"].partition("?")[0]
    with browser.client.stream("GET", f"{job}/steps") as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        text = response.read().decode()
    assert text.index("write docker-compose.yml") < text.index("reload the proxy") < text.index("event: end")
    rest = browser.client.get(f"{job}/steps", headers={"Last-Event-ID": "2"}).text
    assert "write docker-compose.yml" not in rest
    assert "reload the proxy" in rest


def test_an_unknown_plan_or_change_says_so(browser: Browser) -> None:
    for path in ("/plans/x", "/jobs/x", "/jobs/x/steps"):
        response = browser.client.get(path)
        assert response.status_code == 400
        assert "not known any more" in response.text
    with pytest.raises(InputError, match="not known"):
        browser.ui.desk.drafts["x"]
    assert browser.client.post("/plans/x/apply", headers={"Origin": ORIGIN}).status_code == 403
