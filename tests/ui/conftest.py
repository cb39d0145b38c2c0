from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from stackctl.engine.context import Context, Report
from stackctl.ui.app import application, new_ui
from stackctl.ui.base import Ui
from stackctl.ui.door import TOKEN
from tests.usecases.world import World, done, without_waiting

ORIGIN = "http://127.0.0.1:8976"


class Browser:
    """The page of a world, and a browser that has opened its link."""

    def __init__(self, world: World, *, write: bool = True, wait: float = 0.0, opened: bool = True) -> None:
        self.world = world
        self.seen = 0

        def context(report: Report, command: str) -> Context:
            return replace(world.host, report=report, command=command)

        self.ui: Ui = new_ui(context, write=write, wait=wait)
        self.app = application(self.ui, self._count)
        self.client = self.another()
        if opened:
            assert self.client.get(f"/login?t={self.ui.door.link}").status_code == 303

    def another(self) -> TestClient:
        """A browser that knows nothing of the link."""
        return TestClient(self.app, base_url=ORIGIN, follow_redirects=False, raise_server_exceptions=False)

    def get(self, path: str) -> str:
        """A page that is shown; a plan that is being made is waited for."""
        response = self.client.get(path)
        assert response.status_code == 200, response.text
        return response.text

    def post(self, path: str, /, **fields: str) -> Any:
        """What a form of the page sends."""
        return self.client.post(path, data={TOKEN: self.ui.door.token, **fields}, headers={"Origin": ORIGIN})

    def plan(self, kind: str, /, **fields: str) -> str:
        """The address of the plan of a change."""
        response = self.post(f"/change/{kind}", **fields)
        assert response.status_code == 303, response.text
        return str(response.headers["location"])

    def apply(self, plan: str) -> str:
        """The page of a change after it has ended."""
        response = self.post(f"{plan}/apply")
        assert response.status_code == 303, response.text
        self.ui.desk.join()
        return self.get(response.headers["location"])

    def _count(self) -> None:
        self.seen += 1


def text_of(page: str) -> str:
    """What a reader sees of a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    without_waiting(monkeypatch)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> World:
    """What the stack of each ``browser`` is a copy of."""
    world = World(tmp_path_factory.mktemp("made") / "stack")
    with pytest.MonkeyPatch.context() as patch:
        without_waiting(patch)
        done(world.init())
        done(world.add("one.example.com", "www.example.com"))
        done(world.add("two.example.com"))
    return world


@pytest.fixture
def world(made: World, tmp_path: Path) -> World:
    return made.template(tmp_path / "stack")


@pytest.fixture
def browser(world: World) -> Iterator[Browser]:
    """The page of a stack with two sites, which may change things."""
    opened = Browser(world)
    yield opened
    opened.ui.tail.stop()
