"""A proxy in a crash loop, for several causes: one 'up' cures it once the cause is gone."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from typing import Any

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import Stack, docker, inspect, listener, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.add("app1")
    made.add("app2")
    return made


def _all_answer(stack: Stack) -> bool:
    return all(stack.trusted(stack.domain(label)) for label in ("app1", "app2"))


def _state(stack: Stack) -> Any:
    return inspect(stack.container("nginx"))


def _loops(stack: Stack) -> bool:
    return bool(_state(stack)["RestartCount"] >= 2)


def test_a_live_file_that_was_edited(shared: Stack) -> None:
    conf = shared.directory / "nginx/live/nginx.conf"
    conf.write_text("not_a_directive on;\n" + conf.read_text())
    docker("restart", shared.container("nginx"))
    wait_until(lambda: _loops(shared), 30, "it is in a crash loop")
    said = shared.fails(1, "doctor").stdout
    assert "not_a_directive" in said, "the cause is named"
    shared.ok("up")
    assert _all_answer(shared)


def test_an_included_file_of_all_sites_that_was_deleted(shared: Stack) -> None:
    more = shared.directory / "nginx/custom/more.inc"
    more.write_text("map $host $mine { default 1; }\n")
    (shared.directory / "nginx/custom/http.conf").write_text("include /etc/nginx/custom/more.inc;\n")
    shared.ok("up")
    text = more.read_text()
    more.unlink()
    docker("restart", shared.container("nginx"))
    wait_until(lambda: _loops(shared), 30, "it is in a crash loop")
    assert "more.inc" in shared.fails(1, "doctor").stdout
    done = shared.run("up")
    assert done.returncode != 0
    assert "more.inc" in done.stdout + done.stderr, "'up' names the cause too"
    more.write_text(text)
    shared.ok("up")
    assert _all_answer(shared)


def test_a_port_that_another_process_holds(shared: Stack) -> None:
    nginx = shared.container("nginx")
    docker("stop", nginx)
    with listener(shared.address, 80):
        failed = subprocess.run(["docker", "start", nginx], capture_output=True, check=False)
        assert failed.returncode
        said = shared.fails(5, "up").stderr
        assert f"port {shared.address}:80 cannot be published" in said
    shared.ok("up")
    assert _all_answer(shared)


def test_a_process_that_is_killed_again_and_again(shared: Stack) -> None:
    for _ in range(3):
        pid = wait_until(lambda: _state(shared)["State"]["Pid"], 30, "it runs")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        wait_until(lambda pid=pid: _state(shared)["State"]["Pid"] != pid, 10)  # type: ignore[misc]
    # What is planned depends on whether the engine has started it again.
    wait_until(lambda: _all_answer(shared), 30, "it was started again")
    shared.ok("up")
    assert _all_answer(shared)
    assert shared.run("plan", "--check").returncode == 0
