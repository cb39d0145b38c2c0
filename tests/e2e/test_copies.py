"""What the proxy serves does not depend on certbot's tree: it is damaged in every way, and both sites stay served."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import Stack, certbot, docker, wait_until

pytestmark = pytest.mark.e2e

HOOK = ("sh", "/var/lib/stackctl/copy-certificates")


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.add("one")
    made.add("two")
    return made


def ran(stack: Stack, service: str, *command: str) -> tuple[int, str]:
    """The exit code and the output of a command in a container."""
    done = subprocess.run(
        ["docker", "exec", stack.container(service), *command], capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, done.stdout + done.stderr


@contextmanager
def damaged(stack: Stack) -> Iterator[Path]:
    """certbot's tree, which is as before afterwards."""
    conf = stack.live.parent
    aside = stack.directory / "tree"
    shutil.copytree(conf, aside, symlinks=True)
    try:
        yield conf
    finally:
        for path in conf.iterdir():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        for path in aside.iterdir():
            path.rename(conf / path.name)
        aside.rmdir()


def _gone(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _all_gone(conf: Path) -> None:
    for path in conf.iterdir():
        _gone(path)


Damage = Callable[[Path], None]

DAMAGES: dict[str, tuple[str, Damage]] = {
    **{f"{kind} deleted": (f"live/ONE/{kind}.pem", _gone) for kind in ("cert", "chain", "fullchain", "privkey")},
    **{f"{kind} empty": (f"live/ONE/{kind}.pem", _empty) for kind in ("cert", "chain", "fullchain", "privkey")},
    **{f"{kind} truncated": (f"live/ONE/{kind}.pem", _half) for kind in ("cert", "chain", "fullchain", "privkey")},
    "archived key deleted": ("archive/ONE/privkey1.pem", _gone),
    "lineage gone": ("live/ONE", _gone),
    "archive gone": ("archive/ONE", _gone),
    "settings gone": ("renewal/ONE.conf", _gone),
    "settings empty": ("renewal/ONE.conf", _empty),
    "tree gone": ("", _all_gone),
}


def test_the_proxy_starts_and_serves_both_whatever_is_damaged(shared: Stack) -> None:
    one, two = shared.domain("one"), shared.domain("two")
    serials = {name: shared.serial(name) for name in (one, two)}
    for what, (path, damage) in DAMAGES.items():
        with damaged(shared) as conf:
            damage(conf / path.replace("ONE", one))
            ran(shared, "certbot", *HOOK)
            docker("restart", "--time", "1", shared.container("nginx"))
            served = wait_until(lambda: {name: shared.serial(name) for name in serials}, 20, what)
            assert served == serials, what
            wait_until(lambda: shared.trusted(one) and shared.trusted(two), 20, what)
    docker("exec", shared.container("certbot"), *HOOK)


def test_the_key_of_another_is_refused_kept_away_and_reported(shared: Stack) -> None:
    one, two = shared.domain("one"), shared.domain("two")
    serial = shared.serial(one)
    with damaged(shared) as conf:
        (conf / "live" / one / "privkey.pem").resolve().write_bytes((conf / "live" / two / "privkey.pem").read_bytes())
        code, said = ran(shared, "certbot", *HOOK)
        assert code == 1
        assert f"{one} is not copied for the proxy: privkey.pem does not match the certificate" in said
        docker("restart", "--time", "1", shared.container("nginx"))
        wait_until(lambda: shared.trusted(one) and shared.trusted(two), 20, "both are served")
        assert shared.serial(one) == serial
        report = shared.fails(1, "doctor", one).stdout
        assert "privkey.pem does not match the certificate" in report
        assert "the proxy serves its last good copy, which is valid until" in report
        status = shared.ok("status").stdout
        assert "privkey.pem does not match" in status
    docker("exec", shared.container("certbot"), *HOOK)


def test_a_lost_lineage_is_issued_again_and_served_meanwhile(shared: Stack) -> None:
    one = shared.domain("one")
    serial = shared.serial(one)
    certbot(shared.container("certbot"), "delete", "--non-interactive", "--cert-name", one)
    docker("restart", "--time", "1", shared.container("nginx"))
    wait_until(lambda: shared.trusted(one), 20, "it is served")
    assert shared.serial(one) == serial
    assert "certbot's tree no longer has it" in shared.fails(1, "doctor", one).stdout
    shared.ok("up")
    assert shared.serial(one) != serial
    assert shared.trusted(one)
    shared.ok("doctor", one)


def test_what_certbot_renews_by_hand_is_copied_by_the_next_command(shared: Stack) -> None:
    one = shared.domain("one")
    serial = shared.serial(one)
    certbot(shared.container("certbot"), "renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", one)
    planned = shared.ok("plan").stdout
    if "copy the certificate" in planned:  # certbot's loop looks every minute whether there is something to copy
        assert f"copy the certificate {one} for the proxy  (the proxy has another copy of it)" in planned
    shared.ok("up")
    assert shared.serial(one) != serial
    assert shared.trusted(one)


def test_lost_copies_come_back_without_stackctl(shared: Stack) -> None:
    one, two = shared.domain("one"), shared.domain("two")
    serials = [shared.serial(name) for name in (one, two)]
    shutil.rmtree(shared.directory / "data/certbot/deploy/pairs")
    docker("restart", "--time", "1", shared.container("nginx"), shared.container("certbot"))
    wait_until(lambda: shared.trusted(one) and shared.trusted(two), 60, "both are served")
    assert [shared.serial(name) for name in (one, two)] == serials
    shared.ok("up")


def test_the_proxy_sees_no_account_and_no_settings(shared: Stack) -> None:
    found = docker("exec", shared.container("nginx"), "find", "/etc", "/var/lib/stackctl", "-name", "accounts")
    assert found.strip() == ""
    assert "No such file" in ran(shared, "nginx", "ls", "/etc/letsencrypt/live")[1]
    keys = docker(
        "exec", shared.container("nginx"), *["find", "/var/lib/stackctl/", "-name", "privkey.pem", "!", "-perm", "600"]
    )
    assert keys.strip() == ""
