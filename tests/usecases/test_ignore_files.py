"""Private keys stay out of version control and of images."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from stackctl.model.layout import DOCKERIGNORE, GITIGNORE
from stackctl.plan.ignore_files import WriteIgnoreFile
from stackctl.usecases.init import init
from stackctl.usecases.result import Result
from tests.usecases.world import OPTIONS, World, data, done

ONE = "one.example.com"
SECRETS = (
    ".stackctl/history/0001/entry.json",
    f"data/certs/{ONE}/privkey.pem",
    f"data/certbot/conf/archive/{ONE}/privkey1.pem",
    "data/ca/eab-hmac-key",
    "replaced-20260801-120000/data/certs/x/privkey.pem",
    ".docker-compose.yml.0123456789abcdef.tmp",
)


def _git(root: Path, *arguments: str) -> str:
    own = ("-c", "user.name=x", "-c", "user.email=x@example.com")
    return subprocess.run(["git", *own, *arguments], cwd=root, check=True, capture_output=True, text=True).stdout


def _causes(result: Result[None]) -> dict[str, str]:
    assert result.plan is not None
    return {op.path: op.cause for op in result.plan.operations if isinstance(op, WriteIgnoreFile)}


def _check(world: World) -> dict[str, str]:
    """The check of ``version-control`` that was made last."""
    checks = [check for section in data(world.diagnosis)["sections"] for check in section["checks"]]
    (found,) = [check for check in checks if check["name"] == "version-control"]
    return dict(found)


def test_a_new_stack_in_a_repository_keeps_its_secrets_out_of_it(world: World) -> None:
    _git(world.root.parent, "init", "-q")
    result = done(world.init())
    assert str(world.root.parent) in _causes(result)[GITIGNORE]
    for path in SECRETS:
        (world.root / path).parent.mkdir(parents=True, exist_ok=True)
        (world.root / path).write_text("secret")
    _git(world.root, "add", "-A")
    added = _git(world.root.parent, "ls-files").split()
    assert f"{world.root.name}/docker-compose.yml" in added
    assert f"{world.root.name}/{GITIGNORE}" in added
    assert [path for path in SECRETS if f"{world.root.name}/{path}" in added] == []
    assert world.doctor()["host"]["version-control"] == "ok"


def test_up_completes_them_in_a_stack_of_an_earlier_version(site: World) -> None:
    made = {name: (site.root / name).read_bytes() for name in (GITIGNORE, DOCKERIGNORE)}
    (site.root / GITIGNORE).unlink()
    (site.root / DOCKERIGNORE).write_bytes(b"# Written by stackctl\n.stackctl/\n")
    assert list(_causes(site.up())) == [GITIGNORE, DOCKERIGNORE]
    assert (site.root / GITIGNORE).read_bytes() == made[GITIGNORE]
    assert b"data/certbot/\n" in (site.root / DOCKERIGNORE).read_bytes()
    assert not site.up().plan


def test_images_leave_out_the_same(world: World) -> None:
    done(world.init())
    ignored = [(world.root / name).read_text().splitlines()[1:] for name in (GITIGNORE, DOCKERIGNORE)]
    assert ignored[0] == ignored[1]
    assert {".stackctl/", "data/certbot/", "data/certs/", "data/ca/"} <= set(ignored[1])


def test_a_file_of_the_user_is_not_changed_and_what_it_lacks_is_said(world: World) -> None:
    world.root.mkdir(exist_ok=True)
    (world.root / GITIGNORE).write_bytes(b"*.log\ndata/certs\n")
    result = done(world.init())
    assert (world.root / GITIGNORE).read_bytes() == b"*.log\ndata/certs\n"
    assert list(_causes(result)) == [DOCKERIGNORE]
    (note,) = (note for note in result.notes if GITIGNORE in note)
    assert note.endswith("add to it: .stackctl/ data/certbot/ data/ca/ data/dns/ data/watch/")


@pytest.mark.parametrize("lines", ["data/\n.stackctl", "/data/*\n/.stackctl/", "*"])
def test_a_file_of_the_user_that_names_the_folders_is_not_mentioned(world: World, lines: str) -> None:
    world.root.mkdir(exist_ok=True)
    (world.root / GITIGNORE).write_text(lines)
    assert [note for note in done(world.init()).notes if GITIGNORE in note] == []


def test_lines_of_a_newer_version_are_added_to_our_own_file(world: World) -> None:
    done(world.init())
    file = world.root / GITIGNORE
    file.write_text(file.read_text().replace("data/ca/\n", "") + "mine/")
    done(init(world.host, OPTIONS))
    assert file.read_text().endswith("mine/\ndata/ca/\n")


def test_doctor_reports_keys_that_git_tracks_or_would_add(world: World) -> None:
    done(world.init())
    _git(world.root, "init", "-q")
    (world.root / GITIGNORE).unlink()
    assert world.doctor()["host"]["version-control"] == "wrong"
    first = _check(world)
    assert "would add" in first["text"]
    key = world.root / "data/ca/eab-hmac-key"
    key.write_text("secret")
    key.chmod(0o600)
    _git(world.root, "add", "data/ca/eab-hmac-key")
    assert world.doctor()["host"]["version-control"] == "wrong"
    first = _check(world)
    assert "tracks files with secrets: data/ca/eab-hmac-key" in first["text"]
    assert "git rm -r --cached data/ca/eab-hmac-key" in first["todo"]


def test_doctor_says_that_git_cannot_be_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    done(world.init())
    (world.root / ".git").mkdir()
    monkeypatch.setenv("PATH", "/nowhere")
    assert world.doctor()["host"]["version-control"] == "unknown"


def test_doctor_reports_an_eab_key_that_others_can_read(world: World) -> None:
    done(world.init())
    key = world.root / "data/ca/eab-hmac-key"
    key.write_text("secret")
    key.chmod(0o640)
    assert world.doctor()["host"]["permissions"] == "wrong"
    key.chmod(0o600)
    assert world.doctor()["host"]["permissions"] == "ok"
