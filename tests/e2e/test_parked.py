"""A site whose live files stop passing: the container itself leaves it out, and so does stackctl."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import Stack, docker, inspect, wait_until
from tests.e2e.load import PAUSE
from tests.e2e.loops import QUICK_PROXY

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.add("app1")
    made.add("app2")
    (made.directory / "docker-compose.override.yml").write_text(QUICK_PROXY)
    custom = made.directory / "nginx/custom"
    (custom / "more.inc").write_text("location = /more { return 200 more; }\n")
    (custom / f"{made.domain('app1')}.conf").write_text("include /etc/nginx/custom/more.inc;\n")
    made.ok("up")
    return made


@contextmanager
def no_request_lost(stack: Stack, name: str) -> Iterator[None]:
    """A client of ``name`` meanwhile."""
    failed: list[object] = []
    asked = 0
    ended = threading.Event()

    def ask() -> None:
        nonlocal asked
        while not ended.wait(PAUSE):
            try:
                reply = stack.https(name)
                failed.extend([reply.status] if reply.status != 200 else [])
            except OSError as error:
                failed.append(error)
            asked += 1

    client = threading.Thread(target=ask)
    client.start()
    try:
        yield
    finally:
        ended.set()
        client.join()
    assert asked > 5
    assert not failed, failed


def _gone(stack: Stack, name: str) -> bool:
    return stack.refused(name) and stack.closed(name)


def test_one_sites_missing_file_costs_the_others_nothing(shared: Stack) -> None:
    broken, other = shared.domain("app1"), shared.domain("app2")
    more = shared.directory / "nginx/custom/more.inc"
    text = more.read_text()
    nginx = shared.container("nginx")
    assert shared.https(broken, "/more").body == b"more"

    more.unlink()
    with no_request_lost(shared, other):
        # The container's own loop takes up a renewal.
        (shared.directory / "data/certbot/deploy/renewed").write_text("now\n")
        wait_until(lambda: _gone(shared, broken), 30, "the site is left out")
    assert shared.container("nginx") == nginx
    assert inspect(nginx)["RestartCount"] == 0

    # A reboot: nothing of the old state is left.
    docker("restart", nginx)
    wait_until(lambda: shared.trusted(other), 20, "the other site is served")
    assert _gone(shared, broken)
    assert inspect(nginx)["RestartCount"] == 0, "it starts at once"

    with no_request_lost(shared, other):
        said = shared.fails(6, "up")
        assert "nginx/custom/more.inc" in said.stderr
        assert "is parked" in said.stderr
        assert "parked" in shared.ok("status").stdout
        assert "parked" in shared.fails(1, "doctor").stdout
        third = shared.add("app3")
        assert shared.trusted(third)
        more.write_text(text)
        shared.ok("up")
    assert shared.https(broken, "/more").body == b"more"
    assert shared.run("plan", "--check").returncode == 0


def test_what_the_container_left_out_comes_back_by_itself(shared: Stack) -> None:
    broken, other = shared.domain("app1"), shared.domain("app2")
    more = shared.directory / "nginx/custom/more.inc"
    text = more.read_text()
    more.unlink()
    docker("restart", shared.container("nginx"))
    wait_until(lambda: shared.trusted(other) and _gone(shared, broken), 20, "the other site is served")
    more.write_text(text)
    with no_request_lost(shared, other):
        wait_until(lambda: shared.trusted(broken), 40, "the site is served again")
    shared.ok("up")
