"""What is wrong with the host or the request: named, and nothing else suffers from it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, Stack, listener, wait_until

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.ok("add-app", made.domain("app1"), "--image", APP_IMAGE, "--no-issue")
    return made


def _written(stack: Stack) -> list[str]:
    """What stands in a directory besides the lock of a command that was refused."""
    return sorted(path.name for path in stack.directory.iterdir() if path.name != ".stackctl")


def test_an_image_that_is_nowhere_writes_nothing(shared: Stack) -> None:
    before = shared.state()
    shared.fails(4, "add-app", shared.domain("app2"), "--image", "stackctl-lab/no-such-image:1")
    assert shared.state() == before


def test_a_proxy_image_that_is_nowhere_writes_nothing(stack: Stack) -> None:
    stack.fails(4, *stack.init_arguments(nginx="stackctl-lab/no-such-image:1"))
    assert _written(stack) == []
    assert stack.containers() == {}


@pytest.mark.parametrize("port", [80, 443])
def test_a_taken_port_is_named_with_its_holder(stack: Stack, port: int) -> None:
    with listener(stack.address, port):
        done = stack.fails(5, *stack.init_arguments())
    assert f"{stack.address}:{port}" in done.stderr
    assert f"pid {os.getpid()}" in done.stderr
    assert _written(stack) == []
    assert stack.containers() == {}
    stack.init()
    assert stack.closed("stranger.example.com")


def test_a_foreign_service_of_the_same_name_is_left_alone(stack: Stack) -> None:
    text = f"services:\n  nginx:\n    image: {APP_IMAGE}\n"
    stack.file.write_text(text)
    done = stack.fails(2, *stack.init_arguments())
    assert "docker-compose.yml:2" in done.stderr
    assert stack.file.read_text() == text
    assert _written(stack) == ["docker-compose.yml"]
    assert stack.containers() == {}


def test_an_engine_that_does_not_answer_is_reported_apart(shared: Stack, stack: Stack) -> None:
    before = shared.state()
    nowhere = {"DOCKER_HOST": "tcp://127.0.0.1:1"}
    for command in ("up", "status", "down"):
        shared.fails(4, command, environment=nowhere)
    shared.fails(4, "add-app", shared.domain("app3"), "--image", APP_IMAGE, environment=nowhere)
    assert shared.state() == before
    stack.fails(4, *stack.init_arguments(), environment=nowhere)
    assert _written(stack) == []


def _context(folder: Path, url: str) -> dict[str, str]:
    """Return the environment of a user with a Docker context in use."""
    meta = folder / "contexts/meta" / hashlib.sha256(b"lab").hexdigest()
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": "lab", "Endpoints": {"docker": {"Host": url}}}))
    (folder / "config.json").write_text(json.dumps({"currentContext": "lab"}))
    return {"DOCKER_CONFIG": str(folder), "DOCKER_HOST": "", "DOCKER_CONTEXT": ""}


def test_the_engine_is_the_one_of_the_context_in_use(shared: Stack, tmp_path: Path) -> None:
    before = shared.state()
    gone = _context(tmp_path / "gone", f"unix://{tmp_path}/gone.sock")
    for command in ("up", "status", "down"):
        assert "context lab" in shared.fails(4, command, environment=gone).stderr
    context = _context(tmp_path / "remote", "ssh://deploy@192.0.2.7")
    for remote in (context, {"DOCKER_HOST": "tcp://192.0.2.7:2376"}):
        assert "is not on this host" in shared.fails(4, "up", environment=remote).stderr
    engine = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://")
    (tmp_path / "engine.sock").symlink_to(engine)
    here = _context(tmp_path / "here", f"unix://{tmp_path}/engine.sock")
    assert "running" in shared.fails(0, "status", environment=here).stdout
    assert shared.state() == before


@pytest.mark.parametrize("version", [None, "1.29.2"])
def test_compose_missing_or_too_old_is_refused(shared: Stack, tmp_path: Path, version: str | None) -> None:
    script = tmp_path / "docker"
    script.write_text("#!/bin/sh\necho \"docker: 'compose' is not a docker command.\" >&2\nexit 1\n")
    script.chmod(0o755)
    if version:
        old = tmp_path / "docker-compose"
        old.write_text(f"#!/bin/sh\necho {version}\n")
        old.chmod(0o755)
    before = shared.state()
    # As if installed where no Compose stands next to the interpreter.
    code = "import sys; sys.executable = '/nowhere/python'; from stackctl.__main__ import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "up"],
        cwd=shared.directory,
        env={**shared.environ(), "PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 4, done.stdout + done.stderr
    assert (version or "not installed") in done.stderr
    assert shared.state() == before


def test_no_stack_here_is_said(stack: Stack) -> None:
    for command in ("up", "down", "status", "renew", "logs"):
        stack.fails(2, command)
    assert _written(stack) == []


# The disk. A small file system of its own, which only root can mount.


@contextmanager
def mounted(size: str) -> Iterator[Path]:
    at = Path(tempfile.mkdtemp(prefix="stackctl-lab-disk-"))
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "stackctl-lab", at], check=True, timeout=20)
    try:
        yield at
    finally:
        subprocess.run(["umount", "--lazy", at], check=True, timeout=20)
        at.rmdir()


@pytest.fixture(scope="module")
def small(new_stack: NewStack) -> Iterator[Stack]:
    """A stack with one app on a file system of 8 MB."""
    if os.geteuid() != 0:
        pytest.skip("mounting takes root")
    with mounted("8m") as disk:
        made = new_stack(disk)
        made.init()
        made.ok("add-app", made.domain("app1"), "--image", APP_IMAGE, "--no-issue")
        yield made
        made.remove()


def _fill_up(disk: Path) -> Path:
    """A file that takes all the space there is."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while shutil.disk_usage(disk).free:
            file.write(bytes(4096))
    return ballast


def test_a_full_disk_stops_the_command_and_nothing_else(small: Stack) -> None:
    ballast = _fill_up(small.directory.parent)
    before = small.file.read_bytes()

    small.fails(5, "add-app", small.domain("app2"), "--image", APP_IMAGE, "--no-issue")

    assert small.file.read_bytes() == before
    assert small.http(small.domain("app1")).status == 200
    assert not [path for path in small.directory.rglob("*") if path.name.endswith(".tmp")]
    ballast.unlink()
    small.ok("add-app", small.domain("app2"), "--image", APP_IMAGE, "--no-issue")
    assert small.http(small.domain("app2")).status == 200
    assert small.http(small.domain("app1")).status == 200


def test_a_disk_that_fills_up_in_the_middle_leaves_what_was_live(small: Stack) -> None:
    """The Compose file still fits; what comes after it does not."""
    ballast = _fill_up(small.directory.parent)
    with ballast.open("r+b") as file:
        file.truncate(ballast.stat().st_size - 2 * 4096)
    live = (small.directory / "nginx/live").readlink()

    small.fails(5, "add-app", small.domain("app3"), "--image", APP_IMAGE, "--no-issue")

    assert (small.directory / "nginx/live").readlink() == live
    assert small.http(small.domain("app1")).status == 200
    ballast.unlink()
    small.ok("add-app", small.domain("app3"), "--image", APP_IMAGE, "--no-issue")
    assert small.http(small.domain("app3")).status == 200


def test_a_read_only_disk_stops_the_command_and_nothing_else(small: Stack) -> None:
    disk = small.directory.parent
    before = small.file.read_bytes()

    def remounted(mode: str) -> bool:
        return subprocess.run(["mount", "-o", f"remount,{mode}", disk], check=False, timeout=20).returncode == 0

    wait_until(lambda: remounted("ro"), 10, "nothing is being written")
    try:
        small.fails(5, "add-app", small.domain("app4"), "--image", APP_IMAGE, "--no-issue")
        small.fails(5, "up")
        small.ok("status")
        assert small.http(small.domain("app1")).status == 200
    finally:
        assert remounted("rw")
    assert small.file.read_bytes() == before
    small.ok("add-app", small.domain("app4"), "--image", APP_IMAGE, "--no-issue")
    assert small.http(small.domain("app4")).status == 200
