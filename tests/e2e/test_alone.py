"""The stack without stackctl: loops that renew, signals, crashes, plain Compose."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import Stack, docker, inspect, wait_until
from tests.e2e.loops import SHORT_INTERVALS, make_due

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.add("app1")
    made.add("app2")
    return made


def test_plain_compose_brings_the_stack_back(shared: Stack) -> None:
    names = [shared.domain("app1"), shared.domain("app2")]
    serials = [shared.serial(name) for name in names]
    files = shared.files()
    shared.compose("down")
    assert shared.containers() == {}
    shared.compose("up", "--detach")
    wait_until(lambda: all(shared.trusted(name) for name in names), 20, "both are served again")
    assert [shared.serial(name) for name in names] == serials
    # And stackctl finds nothing to do.
    shared.ok("up")
    assert shared.files() == files


def test_a_crash_of_everything_is_cured_by_the_engine(shared: Stack) -> None:
    """All processes die at once, as with the host; the restart policy alone brings them back."""
    names = [shared.domain("app1"), shared.domain("app2")]
    serials = [shared.serial(name) for name in names]
    ids = shared.containers()
    for container in ids.values():
        os.kill(inspect(container)["State"]["Pid"], signal.SIGKILL)
    wait_until(lambda: all(shared.trusted(name) for name in names), 30, "both are served again")
    assert [shared.serial(name) for name in names] == serials
    assert shared.containers() == ids


def test_containers_that_come_back_in_another_order_and_elsewhere_are_found(shared: Stack) -> None:
    """Stands for a restart of the engine, which would disturb everything else on this machine."""
    ids = shared.containers()
    apps = {shared.domain(label): ids[label] for label in ("app1", "app2")}
    docker("kill", *ids.values())
    docker("start", ids["nginx"])
    # The proxy starts although no app is there, and answers for them.
    wait_until(lambda: all(shared.https(name).status == 502 for name in apps), 20, "both are a 502 each")
    # In the other order, so that each gets an address that was another's.
    for service in ("app2", "app1", "certbot"):
        docker("start", ids[service])
    for name, container in apps.items():
        reply = wait_until(lambda name=name: _answer(shared, name), 20, name)  # type: ignore[misc]
        assert reply == container[:12]


def _answer(stack: Stack, name: str) -> str | None:
    reply = stack.https(name)
    return str(reply.json()["app"]) if reply.status == 200 else None


def test_certbots_own_loop_renews_and_the_wire_shows_it(shared: Stack) -> None:
    (shared.directory / "docker-compose.override.yml").write_text(SHORT_INTERVALS)
    name, other = shared.domain("app1"), shared.domain("app2")
    serial, untouched = shared.serial(name), shared.serial(other)
    make_due(shared, name)

    shared.compose("up", "--detach")

    wait_until(lambda: shared.serial(name) != serial, 40, "the renewed certificate is on the wire")
    assert shared.trusted(name)
    assert shared.serial(other) == untouched
    assert shared.lineages() == [name, other]
    # The proxy took it up by a reload: it was not restarted.
    assert inspect(shared.container("nginx"))["RestartCount"] == 0


@pytest.mark.parametrize("service", ["certbot", "nginx"])
def test_a_loop_ends_at_once_when_it_is_stopped(shared: Stack, service: str) -> None:
    container = shared.container(service)
    docker("start", container)
    wait_until(lambda: inspect(container)["State"]["Running"], 10)
    began = time.monotonic()
    docker("stop", "--time", "20", container)
    took = time.monotonic() - began
    state = inspect(container)["State"]
    docker("start", container)
    assert took < 10, "it is not killed after the twenty seconds"
    assert state["ExitCode"] == 0
