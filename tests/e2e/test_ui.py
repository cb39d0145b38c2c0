"""``stackctl ui`` on a real stack: what it shows is true, and what its buttons do is served."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.cookiejar import CookieJar
from urllib.parse import urlencode
from urllib.request import HTTPCookieProcessor, ProxyHandler, Request, build_opener

import pytest

from stackctl.errors import ExitCode
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import Stack, wait_until

pytestmark = pytest.mark.e2e


class Page:
    """The page, and a browser that has opened its link."""

    def __init__(self, link: str) -> None:
        self.origin = link.partition("/login")[0]
        self._opener = build_opener(ProxyHandler({}), HTTPCookieProcessor(CookieJar()))
        self._read(link)

    def get(self, path: str) -> str:
        return self._read(f"{self.origin}{path}")

    def post(self, path: str, **fields: str) -> str:
        """Send a form with the token of the page, and return the page that it leads to."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(self.form_at))
        assert found
        return self._read(Request(f"{self.origin}{path}", urlencode({"csrf": found[1], **fields}).encode()))

    form_at = "/"

    def _read(self, request: str | Request) -> str:
        if isinstance(request, Request):
            request.add_header("Origin", self.origin)
        with self._opener.open(request, timeout=30) as response:
            return str(response.read().decode())


@contextmanager
def page(stack: Stack, *arguments: str) -> Iterator[Page]:
    """The page of the real command."""
    command = stack.command("ui", *arguments)
    with subprocess.Popen(
        command, cwd=stack.directory, env=stack.environ(), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            yield Page(process.stdout.readline().strip())
            process.send_signal(signal.SIGINT)
            assert process.wait(60) == ExitCode.OK, process.stdout.read()
        finally:
            process.kill()


@pytest.fixture(scope="module")
def stack(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.add("shop")
    return made


def test_it_shows_the_stack_as_it_is_and_requests_as_they_come(stack: Stack) -> None:
    name = stack.domain("shop")
    with page(stack) as shown:
        wait_until(lambda: name in shown.get("/"), what="the site is listed")
        assert "on the wire" in shown.get("/")
        way = f"/sites/{name}"
        wait_until(lambda: "200, by the app" in shown.get(way), what="a request is followed to the app")
        assert stack.https(name, "/from-outside").status == 302
        wait_until(lambda: "/from-outside" in shown.get("/requests"), what="the request is listed")
        assert "/from-outside" in shown.get(way)
        assert "stackctl_build_info" in shown.get("/metrics")
        assert 'method="post"' not in shown.get(way)


def test_a_button_does_what_its_command_does(stack: Stack) -> None:
    name, before = stack.domain("shop"), stack.file.read_bytes()
    stack.ok("maintenance", "on", name, "--message", "Back soon")
    by_command = stack.file.read_bytes()
    stack.ok("maintenance", "off", name)
    assert stack.file.read_bytes() == before
    with page(stack, "--write") as shown:
        shown.form_at = f"/sites/{name}"
        wait_until(lambda: "csrf" in shown.get(shown.form_at), what="the site is shown")
        plan = shown.post("/change/maintenance-on", name=name, message="Back soon")
        assert f"stackctl maintenance on {name} --message" in plan
        assert stack.file.read_bytes() == before
        applied = re.search(r'action="(/plans/[^"]+/apply)"', plan)
        assert applied
        shown.post(applied[1])
        # The end of the command waits for the change, whatever the browser does.
    assert stack.file.read_bytes() == by_command
    assert stack.https(name, "/").status == 503
    (*_, last) = json.loads(stack.ok("history", "--output", "json").stdout)["entries"]
    assert last["command"] == f"stackctl maintenance on {name} --message 'Back soon'  # from the page"
    stack.ok("maintenance", "off", name)
