"""A real browser on the page of a stack that only fakes run."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from threading import Thread

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from stackctl.engine.context import Context, Report
from stackctl.ui.app import application, new_ui
from stackctl.ui.base import Ui
from stackctl.ui.serve import Listener, listening
from tests.ui.test_requests import logged
from tests.usecases.world import World, done, without_waiting

SCREENSHOTS = os.environ.get("STACKCTL_TEST_SCREENSHOTS")
"""Where to keep a picture of each page; none is kept without it."""

_ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Ended with the module: while Playwright runs, no other test of the process can have an event loop."""
    program = shutil.which("chromium")
    if program is None:
        pytest.fail("there is no Chromium (run 'make setup')", pytrace=False)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_ARGUMENTS)
        yield browser
        browser.close()


class Shown:
    """The page of a world, served on a port, and the browser that has opened its link."""

    def __init__(self, world: World, ui: Ui, origin: str, chromium: Browser) -> None:
        self.world = world
        self.ui = ui
        self.origin = origin
        self.errors: list[str] = []
        self._chromium = chromium
        self._session = chromium.new_context()
        page = self._session.new_page()
        page.goto(f"{origin}/login?t={ui.door.link}")
        self._cookies = self._session.cookies()
        page.close()

    @contextmanager
    def page(self, *, theme: str = "light", width: int = 1024, bypass: bool = False) -> Iterator[Page]:
        """A tab in the session of the link; what its console reports as an error is kept."""
        context: BrowserContext = self._chromium.new_context(
            viewport={"width": width, "height": 900},
            color_scheme="dark" if theme == "dark" else "light",
            bypass_csp=bypass,
            base_url=self.origin,
        )
        context.add_cookies([{"name": one["name"], "value": one["value"], "url": self.origin} for one in self._cookies])
        page = context.new_page()
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        try:
            yield page
        finally:
            context.close()

    def close(self) -> None:
        self._session.close()


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Shown]:
    """The page of a stack with two sites, which may change things."""
    with pytest.MonkeyPatch.context() as patch:
        without_waiting(patch)
        world = World(tmp_path_factory.mktemp("browser") / "stack")
        done(world.init())
        done(world.add("one.example.com", "www.example.com"))
        done(world.add("two.example.com"))
        world.fake.printed = {"nginx": list(requests()), "one": ["ready", "<b>hello</b>"]}
        with serving(world) as (ui, origin):
            found = Shown(world, ui, origin, chromium)
            yield found
            found.close()


def requests() -> Iterator[str]:
    """What nginx has logged in the last hour: some failed, some were slow, some are for names of nobody."""
    for minute in range(60):
        for number in range(1 + minute * 7 % 5):
            name = ("one.example.com", "two.example.com", "www.example.com")[(minute + number) % 3]
            status, took = (
                (502, 0.01) if (minute, number) in {(20, 0), (21, 0), (40, 1)} else (200, 0.008 + number / 50)
            )
            line = logged(name, ("/", "/cart", "/static/app.js?v=3")[number % 3], status, "198.51.100.7", took)
            yield line.partition("| ")[2].replace("11:59:30", f"11:{minute:02}:{number * 9:02}")
    yield logged("scanner.example.net", "/wp-login.php", 404, "2001:db8::7").partition("| ")[2]
    yield logged("one.example.com", "/report", 200, "192.0.2.9", 4.2).partition("| ")[2]


@contextmanager
def serving(world: World) -> Iterator[tuple[Ui, str]]:
    """The page, and where it is served."""

    def opened(report: Report, command: str) -> Context:
        return replace(world.host, report=report, command=command)

    ui = new_ui(opened, write=True)
    with listening("127.0.0.1", 0) as listener, _served(ui, listener):
        yield ui, listener.place.origin


@contextmanager
def _served(ui: Ui, listener: Listener) -> Iterator[None]:
    config = uvicorn.Config(application(ui, lambda: None), log_config=None, log_level="critical", lifespan="off")
    config.timeout_graceful_shutdown = 1
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listener.socket]})
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        ui.tail.stop()
        thread.join()


@pytest.fixture
def keep() -> Callable[[Page, str], None]:
    """Keep a picture of a page under a name, if that is wanted."""

    def picture(page: Page, name: str) -> None:
        if SCREENSHOTS:
            Path(SCREENSHOTS).mkdir(parents=True, exist_ok=True)
            page.screenshot(path=Path(SCREENSHOTS) / f"{name}.png", full_page=True)

    return picture
