"""Unfinished files: their names cannot be guessed, and nothing that is already there is opened or followed."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stackctl.adapters.disk.files import DRAFTS, draft_path, remove_drafts, write_whole
from stackctl.adapters.disk.generations import Generations
from stackctl.adapters.disk.history import History
from stackctl.engine.adopt.take_over import copy_tree
from stackctl.engine.backup.pack import written_whole
from stackctl.engine.probe.permissions import permission_facts
from stackctl.errors import HostError
from stackctl.model.layout import CERTBOT, DIRECTORIES
from stackctl.proxies.nginx.layout import LAYOUT
from tests.unit.test_history import record

KNOWN = "0123456789abcdef"


def _whole(path: Path) -> None:
    write_whole(path, b"content", 0o600)


def _archive(path: Path) -> None:
    with written_whole(path, force=False) as file:
        file.write(b"content")


WRITERS = [_whole, _archive]


@pytest.fixture
def guessed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody knows the random part of each name."""
    monkeypatch.setattr(secrets, "token_hex", lambda _size=None: KNOWN)


@pytest.mark.usefixtures("guessed")
@pytest.mark.parametrize("write", WRITERS)
@pytest.mark.parametrize("kind", ["file", "link", "link that leads nowhere"])
def test_what_is_at_the_name_of_a_draft_is_neither_written_nor_read(
    write: Callable[[Path], None], kind: str, tmp_path: Path
) -> None:
    path, other = tmp_path / "x.tar.gz", tmp_path / "other"
    draft = draft_path(path)
    if kind == "file":
        draft.write_bytes(b"another's")
    else:
        draft.symlink_to(other)
        if kind == "link":
            other.write_bytes(b"another's")
    with pytest.raises((HostError, FileExistsError)):
        write(path)
    assert not path.exists()
    assert os.path.lexists(draft)
    assert (other if kind == "link" else draft).exists() == (kind != "link that leads nowhere")
    assert all(file.read_bytes() == b"another's" for file in tmp_path.iterdir() if file.exists())


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Path, int, int]]:
    """Every file that is opened for writing, with its flags and mode."""
    seen: list[tuple[Path, int, int]] = []
    real = os.open

    def spy(path: Path, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
        if flags & (os.O_WRONLY | os.O_RDWR):
            seen.append((Path(path), flags, mode))
        return real(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", spy)
    return seen


@pytest.mark.parametrize("write", WRITERS)
def test_a_draft_is_new_follows_no_link_and_has_another_name_each_time(
    write: Callable[[Path], None], tmp_path: Path, opened: list[tuple[Path, int, int]]
) -> None:
    for name in ("one", "two"):
        write(tmp_path / name)
    names = {path.name.removeprefix(".one").removeprefix(".two") for path, _, _ in opened}
    assert len(opened) == len(names) == 2
    for path, flags, mode in opened:
        assert flags & os.O_EXCL
        assert flags & os.O_NOFOLLOW
        assert mode == 0o600
        assert path.match(DRAFTS)


def test_a_draft_is_never_readable_by_more_than_the_file_that_it_replaces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "key"
    path.write_bytes(b"before")
    path.chmod(0o600)
    modes: list[int] = []
    real = os.fchmod

    def spy(descriptor: int, mode: int) -> None:
        modes.append(mode)
        real(descriptor, mode)

    monkeypatch.setattr(os, "fchmod", spy)
    write_whole(path, b"after", 0o644)
    assert modes == [0o600]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.read_bytes() == b"after"


def test_a_name_as_long_as_a_file_system_allows_has_a_draft(tmp_path: Path) -> None:
    for name in ("a" * 255, "€" * 85):
        write_whole(tmp_path / name, b"x")
        assert (tmp_path / name).read_bytes() == b"x"


# What a kill leaves behind


def _unfinished(root: Path) -> list[Path]:
    finished = [
        "docker-compose.yml",
        f"{LAYOUT.directory}/live",
        f"{LAYOUT.directory}/generations/0123456789abcdef",
        f"{LAYOUT.custom}/http.conf",
        ".stackctl/ledger",
        ".stackctl/history/0001",
        ".stackctl/restore/journal.json",
        f"{CERTBOT}/conf",
        "data/ca/bundle.pem",
        "data/certs/a.example.com/privkey.pem",
    ]
    left = [draft_path(root / path) for path in finished]
    for path in left:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return left


def test_doctor_finds_every_draft(tmp_path: Path) -> None:
    left = _unfinished(tmp_path)
    assert sorted(permission_facts(tmp_path, datetime.now(UTC)).drafts) == sorted(
        str(path.relative_to(tmp_path)) for path in left
    )


def test_the_next_command_removes_the_drafts_of_generations_history_and_live_link(tmp_path: Path) -> None:
    _unfinished(tmp_path)
    (tmp_path / ".stackctl").chmod(DIRECTORIES[".stackctl"])
    generations = Generations(tmp_path, LAYOUT)
    staged = generations.stage({"nginx.conf": b""}, str.encode)
    generations.go_live(staged.name)
    record(History(tmp_path / ".stackctl/history"))
    folder = tmp_path / LAYOUT.directory
    for cleaned in (folder, folder / "generations", tmp_path / ".stackctl/history"):
        assert list(cleaned.glob(DRAFTS)) == []
    assert stat.S_IMODE((folder / "generations" / staged.name).stat().st_mode) == 0o755


def test_a_copy_of_a_tree_removes_its_drafts_and_leaves_none_when_it_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "data/conf"
    source.mkdir(mode=0o711)
    (source / "key").write_bytes(b"key")
    left = draft_path(target)
    left.mkdir(parents=True)

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as context:
        context.setattr("shutil.copy2", fail)
        with pytest.raises((HostError, OSError)):
            copy_tree(source, target)
    assert list(target.parent.iterdir()) == []
    copy_tree(source, target)
    assert list(target.parent.iterdir()) == [target]
    assert stat.S_IMODE(target.stat().st_mode) == 0o711


def test_a_link_among_the_drafts_is_removed_and_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept/file").write_bytes(b"")
    (tmp_path / ".x.tmp").symlink_to("kept")
    remove_drafts(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept"]
    assert (tmp_path / "kept/file").exists()
