"""Archives that are whole, and every way in which one is not."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from stackctl.engine.backup.manifest import DIGEST_NAME, FORMAT, NAME, PREFIX, Manifest, Member, digest_of
from stackctl.engine.backup.pack import header, own_header, pack, written_whole
from stackctl.engine.backup.snapshot import Changed, refuse_change, take
from stackctl.engine.backup.unpack import read, verify
from stackctl.errors import HostError, InputError

AT = datetime(2026, 8, 1, 12, tzinfo=UTC)
PATHS = ("docker-compose.yml", "tree")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "stack"
    (root / "tree" / "live").mkdir(parents=True)
    (root / "docker-compose.yml").write_text("services: {}\n")
    (root / "tree" / "key.pem").write_bytes(os.urandom(3000))
    (root / "tree" / "key.pem").chmod(0o600)
    (root / "tree" / "empty").write_bytes(b"")
    (root / "tree" / "live" / "key.pem").symlink_to("../key.pem")
    return root


def archive(root: Path) -> bytes:
    snapshot = take(root, PATHS)
    into = io.BytesIO()
    pack(Manifest(FORMAT, "1.0", AT, "sites", "/srv/sites", snapshot.members), snapshot, into)
    return into.getvalue()


def test_a_whole_archive_gives_back_what_was_put_in(root: Path) -> None:
    made = archive(root)
    contents: dict[str, bytes] = {}
    manifest, digest = read(io.BytesIO(made), lambda path, _member, it: contents.update({path: b"".join(it)}))
    assert contents["tree/key.pem"] == (root / "tree/key.pem").read_bytes()
    assert list(manifest.files) == [
        "docker-compose.yml", "tree", "tree/empty", "tree/key.pem", "tree/live", "tree/live/key.pem",
    ]  # fmt: skip
    assert manifest.files["tree/key.pem"].mode == "0600"
    assert manifest.files["tree/live/key.pem"].target == "../key.pem"
    assert digest == digest_of(manifest.encoded())
    assert archive(root) == made, "the same files make the same archive"


def test_any_tar_can_open_it(root: Path, tmp_path: Path) -> None:
    with tarfile.open(fileobj=io.BytesIO(archive(root))) as tar:
        tar.extractall(tmp_path / "out", filter="tar")
    assert (tmp_path / "out/stack/tree/live/key.pem").read_bytes() == (root / "tree/key.pem").read_bytes()
    line = (tmp_path / "out" / DIGEST_NAME).read_text()
    assert line == f"{hashlib.sha256((tmp_path / 'out' / NAME).read_bytes()).hexdigest()}  {NAME}\n"


@pytest.mark.slow
def test_a_flipped_byte_anywhere_is_noticed_or_changes_nothing(root: Path) -> None:
    made = archive(root)
    for at in range(len(made)):
        altered = bytearray(made)
        altered[at] ^= 0xFF
        try:
            verify(io.BytesIO(bytes(altered)))
        except InputError:
            continue
        # Now and then a byte of deflate's tables says nothing: then what it holds is the same to the last byte.
        assert gzip.decompress(altered) == gzip.decompress(made), at


def test_an_archive_cut_short_anywhere_is_noticed(root: Path) -> None:
    made = archive(root)
    for end in range(0, len(made), 7):
        with pytest.raises(InputError):
            verify(io.BytesIO(made[:end]))
    with pytest.raises(InputError, match="truncated or altered"):
        verify(io.BytesIO(made[:-1]))


def test_nothing_may_follow(root: Path) -> None:
    made = archive(root)
    for more in (b"x", gzip.compress(b"x"), gzip.compress(b"\0" * 20_000, mtime=0), made):
        with pytest.raises(InputError, match="truncated or altered"):
            verify(io.BytesIO(made + more))


@dataclass
class Forger:
    """Archives with sound checksums, whose members are not what the manifest says."""

    manifest: Manifest
    contents: dict[str, bytes]
    headers: dict[str, tarfile.TarInfo] = field(default_factory=dict)
    extra: list[tarfile.TarInfo] = field(default_factory=list)
    digest: str | None = None

    def made(self) -> io.BytesIO:
        into = io.BytesIO()
        encoded = self.manifest.encoded()
        line = f"{self.digest or digest_of(encoded)}  {NAME}\n".encode()
        with (
            gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=into, mtime=0) as stream,
            tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar,
        ):
            tar.addfile(own_header(NAME, len(encoded), int(AT.timestamp())), io.BytesIO(encoded))
            for path, member in self.manifest.files.items():
                if path in self.headers or path in self.contents or member.kind != "file":
                    info = self.headers.get(path) or header(path, member)
                    tar.addfile(info, io.BytesIO(self.contents.get(path, b"")))
            for info in self.extra:
                tar.addfile(info)
            tar.addfile(own_header(DIGEST_NAME, len(line), int(AT.timestamp())), io.BytesIO(line))
        return into


def forger(**more: Member) -> Forger:
    content = b"abc"
    kept = Member("file", "0600", 0, 0, 5, 3, hashlib.sha256(content).hexdigest())
    files = dict(sorted({"kept": kept, **more}.items()))
    return Forger(Manifest(FORMAT, "1.0", AT, "sites", "/srv/sites", files), {"kept": content})


def test_the_forger_makes_sound_archives() -> None:
    assert verify(forger().made())[0].project == "sites"


def extra_member(forged: Forger) -> None:
    forged.extra = [tarfile.TarInfo(f"{PREFIX}../../etc/cron.d/x")]


def other_content(forged: Forger) -> None:
    forged.contents["kept"] = b"abd"


def other_mode(forged: Forger) -> None:
    forged.headers["kept"] = header("kept", forged.manifest.files["kept"])
    forged.headers["kept"].mode = 0o4755


def other_owner(forged: Forger) -> None:
    forged.headers["kept"] = header("kept", forged.manifest.files["kept"])
    forged.headers["kept"].uid = 1000


def other_size(forged: Forger) -> None:
    forged.headers["kept"] = header("kept", forged.manifest.files["kept"])
    forged.headers["kept"].size = 2


def device(forged: Forger) -> None:
    forged.headers["kept"] = header("kept", forged.manifest.files["kept"])
    forged.headers["kept"].type = tarfile.CHRTYPE


def hard_link(forged: Forger) -> None:
    forged.headers["kept"] = header("kept", forged.manifest.files["kept"])
    forged.headers["kept"].type, forged.headers["kept"].linkname = tarfile.LNKTYPE, "/etc/shadow"


def other_place(forged: Forger) -> None:
    forged.headers["kept"] = header("../../kept", forged.manifest.files["kept"])


def missing_member(forged: Forger) -> None:
    del forged.contents["kept"]


def other_digest(forged: Forger) -> None:
    forged.digest = "0" * 64


ALTERATIONS = [
    extra_member, other_content, other_mode, other_owner, other_size, device, hard_link, other_place, missing_member,
    other_digest,
]  # fmt: skip


@pytest.mark.parametrize("alter", ALTERATIONS, ids=lambda alter: alter.__name__)
def test_what_the_manifest_does_not_say_is_refused(alter: Callable[[Forger], None]) -> None:
    forged = forger()
    alter(forged)
    with pytest.raises(InputError, match="truncated or altered"):
        verify(forged.made())


@pytest.mark.parametrize("target", ["../../etc/passwd", "/etc/passwd"])
def test_a_link_that_leads_out_is_refused(target: str) -> None:
    with pytest.raises(InputError, match="points outside"):
        verify(forger(link=Member("link", "0777", 0, 0, target=target)).made())


def test_a_path_that_leads_out_is_refused() -> None:
    with pytest.raises(InputError, match="not a path below"):
        verify(forger(**{"../up": Member("dir", "0755", 0, 0)}).made())


def test_a_later_format_says_what_to_do() -> None:
    forged = forger()
    forged.manifest = Manifest(FORMAT + 1, "9.0", AT, "sites", "/srv", forged.manifest.files)
    with pytest.raises(InputError, match="format 2; this version of stackctl reads format 1") as caught:
        verify(forged.made())
    assert "stackctl that made it" in (caught.value.hint or "")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"\x1f\x8b", b"hello\n" * 100])
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(InputError, match="not a backup"):
        verify(io.BytesIO(content))


def test_a_tar_of_somebody_else_is_refused() -> None:
    into = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=into, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w|") as tar,
    ):
        tar.addfile(tarfile.TarInfo("docker-compose.yml"))
    with pytest.raises(InputError, match=NAME):
        verify(into)


# What is there


def test_a_file_that_changes_while_it_is_packed_is_noticed(root: Path) -> None:
    snapshot = take(root, PATHS)
    manifest = Manifest(FORMAT, "1.0", AT, "sites", "/srv/sites", snapshot.members)
    key = root / "tree/key.pem"
    for content in (os.urandom(3000), b"short", os.urandom(3001), None):
        if content is None:
            key.unlink()
        else:
            key.write_bytes(content)
        with pytest.raises(Changed, match=r"tree/key\.pem"):
            pack(manifest, snapshot, io.BytesIO())


def test_every_change_after_reading_is_noticed(root: Path) -> None:
    snapshot = take(root, PATHS)
    refuse_change(root, PATHS, snapshot)
    link = root / "tree/live/key.pem"

    def relink() -> None:
        link.unlink()
        link.symlink_to("../empty")

    changes: list[Callable[[], object]] = [
        lambda: (root / "tree/new").write_text(""),
        lambda: (root / "tree/key.pem").chmod(0o644),
        lambda: (root / "tree/empty").write_text("x"),
        relink,
        (root / "docker-compose.yml").unlink,
    ]
    for change in changes:
        change()
        with pytest.raises(Changed):
            refuse_change(root, PATHS, snapshot)
        snapshot = take(root, [path for path in PATHS if (root / path).exists()])


def test_links_out_of_the_stack_are_followed_or_told(root: Path, tmp_path: Path) -> None:
    (tmp_path / "shared.conf").write_text("shared\n")
    (tmp_path / "folder").mkdir()
    (root / "tree/shared").symlink_to(tmp_path / "shared.conf")
    (root / "tree/folder").symlink_to(tmp_path / "folder")
    os.mkfifo(root / "tree/fifo")
    (root / "moved").mkdir()
    (root / "docker-compose.yml").rename(root / "moved/x.yml")
    (root / "docker-compose.yml").symlink_to("moved/x.yml")
    snapshot = take(root, PATHS)
    assert snapshot.members["tree/shared"].kind == snapshot.members["docker-compose.yml"].kind == "file"
    assert not {"tree/folder", "tree/fifo"} & set(snapshot.members)
    assert [note.split(" ")[0] for note in snapshot.notes] == [
        "docker-compose.yml", "tree/fifo", "tree/folder", "tree/shared",
    ]  # fmt: skip
    into = io.BytesIO()
    pack(Manifest(FORMAT, "1.0", AT, "s", "/s", snapshot.members), snapshot, into)
    verify(into)


def test_a_name_that_cannot_be_kept_is_reported(root: Path) -> None:
    (root / "tree" / "a\nb").write_text("")
    with pytest.raises(HostError, match="not allowed in a backup"):
        take(root, PATHS)


# Writing


def test_a_file_is_whole_or_not_there(tmp_path: Path) -> None:
    path = tmp_path / "out.tar.gz"

    def fail() -> None:
        with written_whole(path, force=False) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []
    with written_whole(path, force=False) as file:
        file.write(b"whole")
        assert not path.exists()
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"whole", 0o600)
    with pytest.raises(InputError, match="already exists"), written_whole(path, force=False):
        pass
    with written_whole(path, force=True) as file:
        file.write(b"new")
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("path", [".", "nowhere/x.tar.gz"])
def test_where_no_file_can_be_is_reported(path: str, tmp_path: Path) -> None:
    with pytest.raises(InputError), written_whole(tmp_path / path, force=True):
        pass


def test_a_full_disk_leaves_nothing(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(HostError, match="the disk is full"), written_whole(tmp_path / "x.tar.gz", force=False) as file:
        file.write(archive(root))
    assert [path.name for path in tmp_path.iterdir()] == ["stack"]
