"""What ``backup`` and ``restore`` refuse: one message, and nothing touched."""

from __future__ import annotations

import errno
import io
import os
from pathlib import Path

import pytest

from stackctl.errors import HostError
from stackctl.model.layout import CERTBOT_CONF
from stackctl.usecases.backup import BackupOptions, backup
from tests.cli.conftest import Cli


@pytest.fixture
def archive(cli: Cli, tmp_path: Path) -> Path:
    path = tmp_path / "x.tar.gz"
    assert cli("backup", str(path)).exit_code == 0
    return path


def test_a_file_that_is_there(cli: Cli, archive: Path) -> None:
    before = archive.read_bytes()
    assert "already exists" in cli.refused(2, "backup", str(archive))["message"]
    assert archive.read_bytes() == before


@pytest.mark.parametrize(
    ("arguments", "where"),
    [
        (["--recipient", "age1nonsense"], "--recipient"),
        (["--recipient", "age1nonsense", "--passphrase"], "--recipient"),
        (["--passphrase"], "--passphrase"),
        (["--passphrase-file", "EMPTY"], "--passphrase-file"),
        (["--passphrase-file", "BINARY"], "--passphrase-file"),
    ],
)
def test_keys_that_are_none(cli: Cli, tmp_path: Path, arguments: list[str], where: str) -> None:
    (tmp_path / "EMPTY").write_text("\n")
    (tmp_path / "BINARY").write_bytes(b"\xff\xfe")
    written = [str(tmp_path / word) if word.isupper() else word for word in arguments]
    assert cli.refused(2, "backup", str(tmp_path / "y"), *written)["where"] == where
    assert not (tmp_path / "y").exists()


@pytest.mark.parametrize("path", ["nowhere/x", "", "stack/nginx/custom/x", f"stack/{CERTBOT_CONF.path}/x"])
def test_a_place_where_no_archive_can_be(cli: Cli, tmp_path: Path, path: str) -> None:
    cli.refused(2, "backup", str(tmp_path / path))


@pytest.mark.parametrize("path", ["docker-compose.yml", ".env", ".stackctl/history/x"])
def test_no_file_of_the_stack_is_replaced(cli: Cli, path: str) -> None:
    (cli.world.root / ".env").write_text("TAG=1\n")
    error = cli.refused(2, "backup", str(cli.world.root / path), "--force")
    assert "which is part of the backup" in error["message"]


def test_a_device_is_not_replaced(cli: Cli, tmp_path: Path) -> None:
    """A rename would put the archive in its place: /dev/null was a file from then on."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert "not a regular file" in cli.refused(2, "backup", str(pipe), "--force")["message"]
    assert pipe.is_fifo()


def test_a_name_that_is_too_long(cli: Cli, tmp_path: Path) -> None:
    assert "too long" in cli.refused(5, "backup", str(tmp_path / ("x" * 300)))["message"]


@pytest.mark.parametrize(
    ("number", "message"), [(errno.ENOSPC, "the disk is full"), (errno.EPIPE, "standard output was closed")]
)
def test_standard_output_that_takes_no_more(cli: Cli, number: int, message: str) -> None:
    class Closed(io.BytesIO):
        def write(self, _content: object) -> int:
            raise OSError(number, os.strerror(number))

    with pytest.raises(HostError, match=message):
        backup(cli.world.host, BackupOptions(Closed()))


def test_json_and_the_archive_do_not_share_standard_output(cli: Cli) -> None:
    code, printed = cli.json("backup", "-")
    assert (code, printed["errors"][0]["where"]) == (2, "--output")


def test_certbots_tree_that_only_root_may_read(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = Path.iterdir

    def closed(path: Path) -> object:
        if path.name == "live" and CERTBOT_CONF.path in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(Path, "iterdir", closed)
    error = cli.refused(5, "backup", str(tmp_path / "y"))
    assert error["message"] == "only root can read certbot's tree"
    assert "sudo stackctl backup" in error["hint"]
    assert not (tmp_path / "y").exists()


def test_a_stack_that_is_there_already(cli: Cli, archive: Path) -> None:
    cli.world.edit("agree-tos: true", "agree-tos: true # yes")
    error = cli.refused(2, "restore", str(archive))
    assert "is not empty" in error["message"]
    assert "--force" in error["hint"]


@pytest.mark.parametrize("what", ["truncated", "flipped", "text", "nothing", "directory"])
def test_what_is_no_whole_archive_makes_not_even_a_directory(cli: Cli, archive: Path, what: str) -> None:
    content = archive.read_bytes()
    middle = len(content) // 2
    wrong = {
        "truncated": content[:-30],
        "flipped": content[:middle] + bytes([content[middle] ^ 255]) + content[middle + 1 :],
        "text": b"hello\n",
        "nothing": b"",
    }
    path = archive.parent if what == "directory" else archive
    if what != "directory":
        archive.write_bytes(wrong[what])
    target = archive.parent / "new" / "stack"
    result = cli("restore", str(path), directory=target)
    assert result.exit_code == 2
    assert str(path) in result.stderr
    assert not target.parent.exists()


@pytest.mark.usefixtures("_quick_passphrase")
def test_an_encrypted_archive_without_a_key(cli: Cli, tmp_path: Path) -> None:
    secret, other = tmp_path / "secret", tmp_path / "other"
    secret.write_text("right\n")
    other.write_text("wrong\n")
    sealed = str(tmp_path / "x.age")
    assert cli("backup", sealed, "--passphrase-file", str(secret)).exit_code == 0
    assert cli.refused(2, "restore", sealed)["hint"] == "run 'stackctl restore --passphrase-file FILE ARCHIVE'"
    assert "the passphrase is wrong" in cli.refused(2, "restore", sealed, "--passphrase-file", str(other))["message"]
