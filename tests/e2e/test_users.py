"""Who runs stackctl: somebody of the docker group, or somebody whose files no one else may read."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.e2e.helpers import APP_IMAGE, BIN, ROOT, Stack

pytestmark = pytest.mark.e2e

SOCKET = Path("/var/run/docker.sock")
SOMEBODY = 54321


def test_a_strict_umask_does_not_lock_the_proxy_out(stack: Stack) -> None:
    """The proxy's workers are another user than the one who makes the directories."""
    stack.wrapper = ("sh", "-c", 'umask 077; exec "$@"', "sh")
    stack.init()
    assert stack.trusted(stack.add("app1"))


def test_a_user_of_the_docker_group_manages_a_stack(stack: Stack) -> None:
    """What certbot writes belongs to root, as its container runs as root."""
    stack.wrapper = _as_somebody()
    stack.environment |= {
        "HOME": str(stack.directory),
        "PYTHONPATH": f"{ROOT}:{sysconfig.get_path('purelib')}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": f"{BIN}:{os.environ['PATH']}",
    }
    os.chown(stack.directory, SOMEBODY, SOCKET.stat().st_gid)
    stack.init()
    name = stack.add("app1")
    assert stack.trusted(name)
    _goes_on_after_root(stack)
    before = stack.state()
    for command in ("up", "renew", "status"):
        stack.ok(command)
    stack.ok("add-app", name, "--image", APP_IMAGE)
    stack.ok("doctor")
    assert stack.state() == before
    # As certbot's own renewal leaves the challenge's directory: then its container has to write there.
    challenges = stack.directory / "data/certbot/www/.well-known/acme-challenge"
    os.chown(challenges, 0, 0)
    stack.ok("doctor")
    assert list(challenges.iterdir()) == []
    _backs_up_and_restores(stack, name)


def _goes_on_after_root(stack: Stack) -> None:
    """One command of root leaves nothing that the user could not link to, read or replace."""
    somebody, stack.wrapper = stack.wrapper, ()
    stack.add("byroot")
    stack.wrapper = somebody
    assert stack.trusted(stack.add("after"))
    listed = stack.ok("history").stdout
    assert "left out" not in listed
    assert stack.domain("byroot") in listed
    # certbot's container writes its tree, and what it has seen: the metrics and the state of alerts.
    of_certbot = {".cache", "certbot", "metrics", "watch"}
    own = [path for path in stack.directory.rglob("*") if not of_certbot & set(path.parts)]
    assert {path.lstat().st_uid for path in own} == {SOMEBODY}


def _backs_up_and_restores(stack: Stack, name: str) -> None:
    """Keys are root's alone, so root backs up; what is restored belongs to who restores it, and serves as well."""
    archive = stack.directory.parent / f"{stack.directory.name}.tar.gz"
    somebody, stack.wrapper = stack.wrapper, ()
    try:
        stack.ok("backup", archive)
        os.chown(archive, SOMEBODY, -1)
        stack.wrapper = somebody
        serial = stack.serial(name)
        refused = stack.fails(5, "backup", archive, "--force")
        assert "only root can read certbot's tree" in refused.stderr
        assert "sudo" in refused.stderr

        restored = stack.ok("restore", archive, "--force")

        assert "of other users now belong to you" in restored.stdout
        assert stack.serial(name) == serial
        assert (stack.live / name / "privkey.pem").stat().st_uid == SOMEBODY
        stack.ok("renew", "--force", name)
        assert stack.trusted(name)
        assert stack.serial(name) != serial
    finally:
        archive.unlink(missing_ok=True)


def _as_somebody() -> tuple[str, ...]:
    """Runs 'stackctl …' as an unprivileged user of the socket's group, by an interpreter that user can read."""
    if os.geteuid() != 0 or not SOCKET.exists() or shutil.which("setpriv") is None:
        pytest.skip("becoming somebody else takes root, setpriv and the engine's socket")
    user = ("setpriv", "--reuid", str(SOMEBODY), "--regid", str(SOCKET.stat().st_gid), "--clear-groups")
    question = "import sys; print(tuple(sys.version_info[:2]))"
    for python in (sys.executable, "/usr/bin/python3"):
        # By a shell, for what it starts has none of root's powers left.
        command = (*user, "sh", "-c", 'exec "$@"', "sh", python, "-c", question)
        answer = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        if answer.stdout.strip() == str(tuple(sys.version_info[:2])):
            # The first argument is the script in the virtual environment, which that user may not be able to start.
            return (*user, "sh", "-c", f'shift; exec {python} -m stackctl "$@"', "sh")
    pytest.skip("no interpreter of this version can be read by another user")
