"""Child processes: one at a time, and none left behind with what it started."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from stackctl.adapters.docker import children
from stackctl.adapters.docker.children import kill_all, run, started

FAMILY = "sleep 600 & echo $!; wait"
"""A command that starts another one, as ``docker`` starts its plugin, and prints its process id."""


def gone(pid: int) -> bool:
    """Whether a process ends within ten seconds; nothing may have collected it yet."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def left_by(reason: type[BaseException], script: str) -> tuple[subprocess.Popen[str], int]:
    """Start a script, leave the block by an exception once it has printed a number, and return both."""
    found: list[tuple[subprocess.Popen[str], int]] = []
    try:
        with started(["sh", "-c", script], with_input=False) as process:
            assert process.stdout is not None
            found.append((process, int(process.stdout.readline())))
            raise reason  # noqa: TRY301  (inside the block, as an interruption is)
    except reason:
        return found[0]


@pytest.mark.parametrize("reason", [KeyboardInterrupt, RuntimeError])
def test_a_command_ends_with_what_it_started(reason: type[BaseException]) -> None:
    process, other = left_by(reason, FAMILY)
    assert gone(process.pid)
    assert gone(other)


def test_one_that_ignores_sigterm_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "END_SECONDS", 0.2)
    process, pid = left_by(KeyboardInterrupt, "trap '' TERM; echo $$; while :; do sleep 1; done")
    assert gone(pid)
    assert process.returncode == -signal.SIGKILL


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        run(["sh", "-c", "echo $$ > pid; exec sleep 600"], cwd=tmp_path, timeout=0.5)
    assert gone(int((tmp_path / "pid").read_text()))


def test_all_can_be_killed_at_once() -> None:
    with started(["sh", "-c", FAMILY], with_input=False) as process:
        assert process.stdout is not None
        other = int(process.stdout.readline())
        kill_all()
        assert process.wait(10) == -signal.SIGKILL
        assert gone(other)
    kill_all()  # none is left, and the number of a group is not kept


def test_a_second_command_waits_for_the_first(tmp_path: Path) -> None:
    script = "mkdir running || exit 1; sleep 0.1; rmdir running"
    with ThreadPoolExecutor(4) as pool:
        codes = pool.map(lambda _: run(["sh", "-c", script], cwd=tmp_path).code, range(4))
    assert list(codes) == [0] * 4


def test_input_output_and_exit_code_are_passed_on(tmp_path: Path) -> None:
    done = run(["sh", "-c", "cat; pwd; echo wrong >&2; exit 3"], "text ü\n", cwd=tmp_path)
    assert (done.code, done.stdout, done.stderr) == (3, f"text ü\n{tmp_path}\n", "wrong\n")


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_compose_is_left_behind_by_a_signal_to_stackctl_alone(tmp_path: Path, number: int) -> None:
    (tmp_path / "docker-compose.yml").write_text("services: {}\n")
    programs = tmp_path / "bin"
    programs.mkdir()
    # It answers the question for its version, and then hangs, with a process of its own.
    script = f"""#!/bin/sh
case "$*" in *version*) echo 5.6.1; exit 0;; esac
sleep 600 &
echo $$ $! > {tmp_path}/pids.new; mv {tmp_path}/pids.new {tmp_path}/pids
wait
"""
    (programs / "docker-compose").write_text(script)
    (programs / "docker-compose").chmod(0o755)
    environ = {"PATH": f"{programs}:/usr/bin:/bin", "HOME": str(tmp_path), "DOCKER_HOST": f"unix://{tmp_path}/no.sock"}
    with subprocess.Popen(
        [sys.executable, "-m", "stackctl", "status"],
        cwd=tmp_path,
        env={**environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        pids = tmp_path / "pids"
        while not pids.exists():
            assert process.poll() is None
        process.send_signal(number)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 130, errors
    assert all(gone(int(pid)) for pid in pids.read_text().split())
