"""Two commands at once, and commands that are cut short: the next one finishes the job."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, Stack, docker, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.add("app1")
    return made


@contextmanager
def started(stack: Stack, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """A command in the background, in a process group of its own as a terminal makes it."""
    with subprocess.Popen(
        stack.command(*arguments),
        cwd=stack.directory,
        env=stack.environ(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def test_a_second_command_waits_or_gives_up(shared: Stack) -> None:
    name = shared.domain("app2")
    shared.add_dns(name)
    with started(shared, "add-app", name, "--image", APP_IMAGE) as first:
        wait_until((shared.directory / ".stackctl/lock").read_bytes, 30, "the first holds the lock")
        # Held still, so that it is not done before it was seen at work.
        first.send_signal(signal.SIGSTOP)
        done = shared.fails(8, "up", "--wait", "0")
        assert str(first.pid) in done.stderr
        assert "add-app" in done.stderr
        # What changes nothing need not wait.
        shared.ok("status")
        assert first.poll() is None
        first.send_signal(signal.SIGCONT)
        shared.ok("up")
        assert first.wait(60) == 0
    assert shared.trusted(name)


def _file_is_written(stack: Stack, name: str) -> bool:
    return name in stack.file.read_text()


def _service_is_there(stack: Stack, name: str) -> bool:
    return name.partition(".")[0] in stack.containers()


def _ca_is_asked(stack: Stack, name: str) -> bool:
    del name
    return "certonly" in docker("top", stack.container("certbot")) or "python3 -u -" in docker(
        "top", stack.container("certbot")
    )


@pytest.mark.parametrize(
    ("reached", "number"),
    [
        (_file_is_written, signal.SIGINT),
        (_service_is_there, signal.SIGKILL),
        (_ca_is_asked, signal.SIGINT),
        (_ca_is_asked, signal.SIGKILL),
    ],
)
def test_a_command_that_was_cut_short_is_finished_by_the_same_again(
    shared: Stack, reached: Callable[[Stack, str], bool], number: signal.Signals
) -> None:
    label = f"cut-{reached.__name__.strip('_').replace('_', '-')}-{number.value}"
    name, other = shared.domain(label), shared.domain("app1")
    serial = shared.serial(other)
    shared.add_dns(name)
    command = ("add-app", name, "--image", APP_IMAGE)
    with started(shared, *command) as process:
        wait_until(lambda: reached(shared, name), 60, reached.__name__)
        os.killpg(process.pid, number)
        code = process.wait(60)
    assert code == (130 if number is signal.SIGINT else -signal.SIGKILL)
    assert shared.trusted(other)

    shared.ok(*command)

    assert shared.trusted(name)
    assert shared.https(name).json()["app"] == shared.container(label)[:12]
    assert shared.serial(other) == serial
    assert [lineage for lineage in shared.lineages() if lineage.startswith(label)] == [name]


def test_an_init_that_was_interrupted_is_finished_by_the_same_again(stack: Stack) -> None:
    with started(stack, *stack.init_arguments()) as process:
        wait_until(stack.containers, 60, "the first container is there")
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(60) == 130
    stack.init()
    assert set(stack.containers()) == {"nginx", "certbot"}
    assert stack.closed("stranger.example.com")
