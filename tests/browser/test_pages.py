"""The pages in Chromium: who uses them by keyboard, by a screen reader, on a phone, in the dark."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from time import monotonic

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from stackctl.ui.snapshot import Snapshot
from stackctl.usecases.status import StatusReport
from tests.browser.conftest import SCREENSHOTS, Shown
from tests.ui.test_sites import site

pytestmark = pytest.mark.e2e

PAGES = {
    "sites": "/",
    "site": "/sites/one.example.com",
    "add": "/add",
    "requests": "/requests",
    "certificates": "/certificates",
    "changes": "/changes",
    "change": "/changes/compare?before=1&after=2",
    "doctor": "/doctor",
}
OTHERS = [("light", 1024), ("light", 1600), ("dark", 390), ("dark", 1024)]
"""Only pictures are taken of these: the first two looks have both themes, and the narrowest and the widest screen."""

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}


LOOKS = [("light", 390), ("dark", 1600), *((theme, width) for theme, width in OTHERS if SCREENSHOTS)]


@pytest.mark.parametrize(("theme", "width"), LOOKS)
def test_pages_fit_can_be_used_by_everybody_and_report_no_error(
    shown: Shown, keep: Callable[[Page, str], None], theme: str, width: int
) -> None:
    shown.errors.clear()
    wrong: list[str] = []
    with shown.page(theme=theme, width=width, bypass=True) as page:
        for name, path in PAGES.items():
            page.goto(path)
            expect(page.locator("h1")).to_be_visible()
            expect(page.get_by_text("Following a request")).to_have_count(0)
            expect(page.get_by_text("Examining the host")).to_have_count(0)
            keep(page, f"{name}-{theme}-{width}")
            over = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
            wrong += [f"{path} is {over} pixels too wide"] if over > 0 else []
            if (theme, width) not in OTHERS:
                found = Axe().run(page, options=RULES).response["violations"]
                wrong += [f"{path}: {one['id']}: {one['nodes'][0]['html']}" for one in found]
    assert wrong == []
    assert shown.errors == []


def test_a_site_is_added_by_keyboard_alone(shown: Shown) -> None:
    with shown.page() as page:
        page.goto("/add")
        page.keyboard.type("three.example.com")
        image = page.get_by_label("Image", exact=True)
        for _ in range(10):
            page.keyboard.press("Tab")
            if image.evaluate("one => one === document.activeElement"):
                break
        page.keyboard.type("three:latest")
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Add three.example.com")).to_be_visible()
        expect(page.get_by_text("stackctl add-app three.example.com --image three:latest")).to_be_visible()
        page.get_by_role("button", name="Apply").press("Enter")
        expect(page.get_by_text("Done.", exact=True)).to_be_visible()
        page.get_by_role("link", name="Go on").press("Enter")
        expect(page.get_by_role("heading", name="three.example.com")).to_be_visible()
    assert "three.example.com" in shown.world.rows()


def test_the_list_follows_what_is_typed(shown: Shown) -> None:
    with shown.page() as page:
        page.goto("/")
        page.get_by_label("Find").fill("two")
        expect(page.get_by_role("link", name="two.example.com", exact=True)).to_be_visible()
        expect(page.get_by_role("link", name="one.example.com", exact=True)).to_have_count(0)
        assert "q=two" in page.url


def test_a_thousand_sites_are_painted_within_a_second(shown: Shown) -> None:
    there, report = shown.ui.status, shown.ui.status.last
    assert report is not None
    assert report.value is not None
    many: StatusReport = replace(report.value, sites=tuple(site(f"s{one}.example.com") for one in range(1000)))
    shown.ui.status = Snapshot(lambda: many)
    try:
        with shown.page() as page:
            times: list[float] = []
            for _ in range(3):  # other tests may hold the processor for a moment
                page.goto("/changes")
                started = monotonic()
                page.goto("/", wait_until="commit")
                expect(page.get_by_role("link", name="s0.example.com", exact=True)).to_be_visible()
                times.append(monotonic() - started)
            assert min(times) < 1
    finally:
        shown.ui.status = there


def test_another_browser_without_the_link_sees_nothing(shown: Shown) -> None:
    with shown.page() as page:
        page.context.clear_cookies()
        page.goto("/")
        expect(page.get_by_role("heading", name="This browser has no session")).to_be_visible()
        assert "example.com" not in page.content()
