"""A stack stays its user's when root changes it once, and goes on where links or locks are not to be had."""

from __future__ import annotations

import errno
import fcntl
import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackctl.adapters.disk.files import host_errors
from stackctl.diagnose.check import Check
from stackctl.errors import EngineError, HostError
from stackctl.model.layout import LOCK
from stackctl.observed.ports import EngineVersion
from stackctl.usecases.doctor.doctor import doctor
from stackctl.usecases.history import history
from stackctl.usecases.session import exclusive
from stackctl.usecases.status import status
from tests.usecases.world import World, done

USER, GROUP = 4711, 4712
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes owners")


def given_to_user(root: Path) -> None:
    for path in (root, *root.rglob("*")):
        os.chown(path, USER, GROUP, follow_symlinks=False)


@needs_root
def test_what_root_creates_belongs_to_the_user_of_the_stack(site: World) -> None:
    given_to_user(site.root)
    with exclusive(site.host, 1):
        done(site.add("two.example.com"))
    others = {
        str(path.relative_to(site.root))
        for path in site.root.rglob("*")
        if (path.lstat().st_uid, path.lstat().st_gid) != (USER, GROUP)
    }
    # Certbot's tree is written in its container, by root.
    assert {path for path in others if not path.startswith("data/certbot")} == set()


@needs_root
def test_doctor_reports_what_the_user_of_a_rootless_engine_does_not_own(
    site: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def checks() -> list[Check]:
        sections = doctor(site.host).payload.sections
        return [check for section in sections for check in section.checks if check.name == "owners"]

    given_to_user(site.root)
    conf = site.root / "data/certbot/conf"
    os.chown(conf, 0, 0)
    os.chown(site.root / "nginx", 200033, 200033)  # a user of its containers
    assert not checks()
    version = EngineVersion("28.5.2", "1.51", rootless=True)
    monkeypatch.setattr(type(site.fake), "version", lambda _: version)
    [found] = checks()
    assert found.text == (
        f"data/certbot/conf belong to others than {USER}, who is root in the containers of this rootless engine"
    )
    assert found.todo == f"sudo chown -R {USER}: data"
    os.chown(conf, USER, GROUP)
    assert not checks()


def test_a_tree_that_no_container_may_read_either_is_one_message(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> Iterator[os.DirEntry[str]]:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    def fails(*_: str) -> dict[str, bytes]:
        raise EngineError("open /etc/letsencrypt/live: permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    monkeypatch.setattr(site.fake, "read_tree", fails)
    with pytest.raises(HostError, match="permission denied") as caught:
        status(site.host)
    assert caught.value.where is not None
    assert "data/certbot/conf" in caught.value.where
    assert caught.value.hint


@pytest.mark.parametrize("code", [errno.EPERM, errno.EXDEV, errno.EOPNOTSUPP, errno.EMLINK])
def test_a_file_that_cannot_be_linked_is_copied(site: World, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(_source: str, target: object) -> None:
        raise OSError(code, os.strerror(code), str(target))

    monkeypatch.setattr(os, "link", refuse)
    done(site.add("two.example.com"))
    assert site.served() == {"one.example.com": "real", "two.example.com": "real"}
    assert not site.up().plan


def test_a_full_disk_is_still_reported(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "link", refuse)
    assert [str(error) for error in site.add("two.example.com").errors] == ["the disk is full"]


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_a_command_goes_on_and_says_so(site: World, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with exclusive(site.host, 1):
        done(site.add("two.example.com"))
    assert any("has no locks" in note for note in site.report.notes)


def test_another_fault_of_a_lock_is_one_message(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(HostError, match="cannot be locked: Input/output error"), exclusive(site.host, 1):
        pass


def test_entries_of_the_history_that_belong_to_another_user_are_named(
    site: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _mode: not str(path).endswith("0001"))
    assert any("are left out: 1" in note for note in history(site.host).notes)


@needs_root
def test_a_denied_permission_says_who_may(tmp_path: Path) -> None:
    name = pwd.getpwuid(1).pw_name
    os.chown(tmp_path, 1, 1)
    with pytest.raises(HostError, match="permission denied") as refused, host_errors():
        raise PermissionError(errno.EACCES, "denied", str(tmp_path / "missing/file"))
    assert refused.value.hint == f"{tmp_path} belongs to {name}: run the command as {name}, or as root"
    os.chown(tmp_path, 0, 0)
    with pytest.raises(HostError) as refused, host_errors():
        raise PermissionError(errno.EACCES, "denied", str(tmp_path))
    assert refused.value.hint == f"its mode does not allow it: see 'ls -ld {tmp_path}'"


@needs_root
def test_the_lock_is_never_another_users(site: World) -> None:
    given_to_user(site.root)
    (site.root / LOCK).unlink(missing_ok=True)
    with exclusive(site.host, 1):
        assert (site.root / LOCK).stat().st_uid == USER
