"""Ctrl-C and SIGTERM, really sent to a real process, at many moments of its life."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from stackctl.cli import interruption
from stackctl.cli.run import guarded
from stackctl.errors import ExitCode

MESSAGE = f"error: {interruption.MESSAGE}\n  → {interruption.HINT}\n"
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stackctl:
    """A process of the command line."""

    def __init__(self, *arguments: str, directory: Path) -> None:
        environ = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1", "DOCKER_HOST": f"unix://{directory}/none.sock"}
        command = [sys.executable, "-m", "stackctl", *arguments]
        self.process = subprocess.Popen(
            command, cwd=directory, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def wait_until_caught(self) -> None:
        """Before its first line Python itself is starting, which no program can do anything about."""
        mask = 1 << (signal.SIGTERM - 1)
        while self.process.poll() is None:
            fields = dict(
                line.split(":\t", 1) for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
            )
            if int(fields["SigCgt"], 16) & mask:
                return
            time.sleep(0.001)

    def send(self, number: int) -> tuple[int, str, str]:
        """The exit code, standard output and standard error after a signal."""
        self.process.send_signal(number)
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    (tmp_path / "docker-compose.yml").write_text("x-stackctl: {}\nservices: {}\n")
    (tmp_path / ".stackctl").mkdir()
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize("command", [["plan"], ["status"], ["up", "--output", "json"]])
def test_at_any_moment_it_is_one_message_and_no_traceback(stack: Path, command: list[str], number: int) -> None:
    interrupted = 0
    for moment in range(20):
        started = Stackctl(*command, directory=stack)
        started.wait_until_caught()
        with suppress(subprocess.TimeoutExpired):
            started.process.wait(moment * 0.02)
        if started.process.returncode is not None:
            started.process.communicate()
            continue
        code, out, err = started.send(number)
        assert "Traceback" not in err, err
        assert "Aborted" not in err
        if code == 130:
            interrupted += 1
            assert (err + out).count(interruption.MESSAGE) == 1
        else:
            assert code >= 0, "it had ended on its own before the signal"
    assert interrupted > 5


@pytest.mark.parametrize("number", SIGNALS)
def test_while_it_waits_for_the_lock(stack: Path, number: int) -> None:
    with (stack / ".stackctl" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        started = Stackctl("up", directory=stack)
        assert started.process.stdout is not None
        assert started.process.stdout.readline() == "· waiting for another stackctl\n"
        assert started.send(number) == (130, "", MESSAGE)


def test_at_the_first_line(stack: Path) -> None:
    for number in SIGNALS:
        started = Stackctl("status", directory=stack)
        started.wait_until_caught()
        assert started.send(number) == (130, "", MESSAGE)


def test_an_interruption_that_a_finalizer_swallows_is_raised_again() -> None:
    code = (
        "import os, signal\n"
        "from stackctl.cli import interruption\n"
        "class Finalized:\n"
        "    def __del__(self):\n"
        "        os.kill(os.getpid(), signal.SIGTERM)\n"
        "interruption.catch()\n"
        "try:\n"
        "    with interruption.raised():\n"
        "        one = Finalized()\n"
        "        del one\n"
        "        while True: pass\n"
        "except KeyboardInterrupt:\n"
        "    print('raised')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert (done.stdout, done.stderr) == ("raised\n", "")


def test_a_second_signal_ends_it_at_once() -> None:
    code = (
        "import os, signal\n"
        "from stackctl.cli import interruption\n"
        "interruption.catch()\n"
        "with interruption.raised():\n"
        "    try:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "    finally:\n"
        "        os.kill(os.getpid(), signal.SIGINT)\n"
        "        print('not reached')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", MESSAGE)


def test_a_program_that_runs_a_command_keeps_its_own_handlers() -> None:
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]

    def interrupted() -> ExitCode:
        raise KeyboardInterrupt

    assert guarded(interrupted, lambda error: error.code) is ExitCode.INTERRUPTED
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before
