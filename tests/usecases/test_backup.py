"""Backups of a fake world, and what comes of them elsewhere, or over what is there."""

from __future__ import annotations

import io
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import pytest

from stackctl.adapters.fakes.faults import Killed
from stackctl.certs.issuer.locks import config_lock
from stackctl.engine.backup.pack import pack as real_pack
from stackctl.engine.backup.sealing import Keys, Seal
from stackctl.errors import HostError, InputError, Locked, StackctlError
from stackctl.model.layout import CERTBOT_CONF
from stackctl.usecases.backup import BackupOptions, backup
from stackctl.usecases.restore import RestoreOptions, RestoreReport, open_archive, refuse_occupied, restore
from stackctl.usecases.result import Result
from tests.authority import Authority
from tests.usecases.world import OPTIONS, Notes, World, data, done

NAME = "one.example.com"
WITH_ALL_SOURCES = """\
x-stackctl:
  dns:
    example.net:
      provider: rfc2136
  apps:
    - domains: [one.localhost]
      upstream: 10.0.0.5:80
      ca: local
    - domains: [two.example.com]
      upstream: 10.0.0.5:80
      certificate: {file: own.pem, key: own.key}
    - domains: ["*.example.net"]
      upstream: 10.0.0.5:80
"""
PLAIN, FORCE = RestoreOptions(), RestoreOptions(force=True)


@pytest.fixture
def archive(site: World, tmp_path: Path) -> Path:
    """A backup of a stack with one app, and files of the user's own."""
    site.custom(f"{NAME}.conf", "add_header X-One 1;\n")
    (site.root / ".env").write_text("COLOR=red\n")
    done(site.up())
    return saved(site, tmp_path / "one.tar.gz")


def saved(world: World, path: Path, **more: Any) -> Path:
    assert backup(world.host, BackupOptions(path, **more)).code == 0
    return path


def restored(
    world: World, path: Path, options: RestoreOptions = PLAIN, *, dry_run: bool = False, **keys: Any
) -> Result[RestoreReport]:
    opened = open_archive(path, Keys(**keys))
    return restore(world.host, opened, options, lambda: world.host, dry_run=dry_run)


def elsewhere(world: World, root: Path) -> World:
    """Another machine, with the same CA in the world."""
    other = World(root)
    other.fake.ca = world.fake.ca
    return other


def kept(root: Path) -> dict[str, tuple[object, ...]]:
    """What a backup is of: mode, time and content."""
    found: dict[str, tuple[object, ...]] = {}
    for top in ("docker-compose.yml", ".env", "nginx/custom", CERTBOT_CONF.path):
        for path in (root / top, *sorted((root / top).rglob("*"))):
            if not os.path.lexists(path):
                continue
            facts = path.lstat()
            moment = None if stat.S_ISDIR(facts.st_mode) else int(facts.st_mtime)
            content: object = str(path.readlink()) if path.is_symlink() else path.is_file() and path.read_bytes()
            found[str(path.relative_to(root))] = (oct(facts.st_mode), moment, content)
    return found


# Backup


@pytest.mark.usefixtures("_quick_passphrase")
def test_every_source_of_certificates_is_counted_and_serves_its_site_elsewhere(world: World, tmp_path: Path) -> None:
    local, own, wild = "one.localhost", "two.example.com", "*.example.net"
    done(world.init(OPTIONS))
    world.edit("x-stackctl:\n", WITH_ALL_SOURCES)
    given = Authority().leaf(own, url=None)
    world.fake.outside.add(("10.0.0.5", 80))
    for name, content in (("own.pem", given.pem), ("own.key", given.key_pem())):
        (world.root / name).write_bytes(content)
    done(world.up())
    (world.root / "data/dns/example.net.ini").write_text("dns_rfc2136_secret = x\n")
    assert world.served() == {local: "real", own: "real", wild: "real"}

    plain = backup(world.host, BackupOptions(tmp_path / "plain.tar.gz"))
    assert (plain.payload.certificates, plain.payload.stored) == (("_wildcard.example.net",), (local, own))
    assert plain.payload.secrets == ()
    left_out = " ".join(plain.notes)
    assert "data/dns/example.net.ini is not in the archive" in left_out
    assert "data/ca/local/issuer.pem is not in the archive" in left_out
    sealed = backup(world.host, BackupOptions(tmp_path / "all.age", seal=Seal("secret")))
    assert sealed.payload.secrets == ("data/ca/local/issuer.pem", "data/dns/example.net.ini")

    for archive, passphrase in (("plain.tar.gz", None), ("all.age", "secret")):
        other = elsewhere(world, tmp_path / archive.partition(".")[0] / "stack")
        done(restored(other, tmp_path / archive, passphrase=passphrase))
        assert other.served() == {local: "real", own: "real", wild: "real"}
        shelf = other.host.directory.shelf([local, own, wild], other.clock())
        assert {name: one.source for name, one in shelf.stored.items()} == {local: "local", own: "imported"}


def test_a_backup_holds_what_cannot_be_made_again(archive: Path) -> None:
    opened = open_archive(archive, Keys())
    files = set(opened.manifest.files)
    assert {
        "docker-compose.yml",
        ".env",
        ".gitignore",
        ".dockerignore",
        f"nginx/custom/{NAME}.conf",
        ".stackctl/ledger",
    } <= files
    assert {f"{CERTBOT_CONF.path}/{at}" for at in (f"live/{NAME}/privkey.pem", f"renewal/{NAME}.conf")} <= files
    assert opened.manifest.files[f"{CERTBOT_CONF.path}/live/{NAME}/cert.pem"].kind == "link"
    assert not [path for path in files if path.startswith(("nginx/generations", "nginx/live", "data/certs"))]
    assert opened.manifest.project == "stack"


def test_what_is_left_out_is_reported(site: World, tmp_path: Path) -> None:
    site.file.write_text(
        site.text
        + "  job:\n    build: ./job\n    env_file: [job.env, ../up.env, '${WHERE}.env']\n    volumes: ['./html:/h']\n"
        + "volumes:\n  db: {}\n"
    )
    (site.root / "job.env").write_text("A=1\n")
    result = backup(site.host, BackupOptions(tmp_path / "x.tar.gz"))
    assert data(result)["left_out"] == [
        "the volume db",
        "the image that job builds from ./job",
        "./html, mounted by job",
    ]
    assert result.notes == ("../up.env is not in the archive: it is outside the stack's directory",)
    assert "job.env" in open_archive(tmp_path / "x.tar.gz", Keys()).manifest.files


def test_own_certificates_and_the_history_are_in_and_dummies_are_not(stack: World, tmp_path: Path) -> None:
    stack.fake.faults.issue["two.example.com"] = "dns"
    stack.add("two.example.com")
    assert "two.example.com" in stack.host.directory.shelf(["two.example.com"], stack.clock()).stored
    own = stack.root / "data/certs/own.example.com"
    own.mkdir()
    (own / "fullchain.pem").write_bytes(stack.fake.ca.issue(["own.example.com"], stack.clock())[0])
    (stack.root / ".stackctl/history/1").mkdir(parents=True)
    (stack.root / ".stackctl/history/1/docker-compose.yml").write_text("services: {}\n")
    files = open_archive(saved(stack, tmp_path / "x.tar.gz"), Keys()).manifest.files
    assert "data/certs/own.example.com/fullchain.pem" in files
    assert ".stackctl/history/1/docker-compose.yml" in files
    assert not [path for path in files if "two.example.com" in path]


def test_included_files_are_followed(site: World, tmp_path: Path) -> None:
    (site.root / "more").mkdir()
    (site.root / "more/job.yml").write_text("include: [../last.yml]\nservices: {job: {env_file: job.env}}\n")
    (site.root / "more/job.env").write_text("A=1\n")
    (site.root / "last.yml").write_text("include: [more/job.yml]\nservices: [\n")
    site.file.write_text(f"include:\n  - more/job.yml\n  - https://example.com/x.yml\n{site.text}")
    result = backup(site.host, BackupOptions(tmp_path / "x.tar.gz"))
    assert {"more/job.yml", "more/job.env", "last.yml"} <= set(
        open_archive(tmp_path / "x.tar.gz", Keys()).manifest.files
    )
    assert len(result.notes) == 2
    assert "last.yml cannot be read as YAML" in result.notes[0]


def test_files_whose_names_have_variables_are_followed(site: World, tmp_path: Path) -> None:
    (site.root / "parts").mkdir()
    (site.root / "parts/job.yml").write_text("services: {job: {env_file: ['job.env', '$OWN.env']}}\n")
    (site.root / "parts/job.env").write_text("A=1\n")
    (site.root / "parts/web.env").write_text("B=1\n")
    (site.root / ".env").write_text("PARTS=parts\n")
    service = (
        "  web:\n    image: one:latest\n    env_file: ${PARTS}/web.env\n"
        "    volumes: ['${DATA:-./database}:/data']\n    command: echo $$HOME\n"
    )
    site.file.write_text("include: ['$PARTS/job.yml']\n" + site.text.replace("services:\n", f"services:\n{service}", 1))
    result = backup(site.host, BackupOptions(tmp_path / "x.tar.gz"))
    files = set(open_archive(tmp_path / "x.tar.gz", Keys()).manifest.files)
    assert {"parts/job.yml", "parts/job.env", "parts/web.env"} <= files
    assert result.notes == ("$OWN.env is not in the archive: its name contains a variable",)
    assert result.payload.left_out[0] == "./database, mounted by web"


def test_paths_of_a_project_in_another_folder_are_relative_to_it(world: World, tmp_path: Path) -> None:
    for path, text in {
        ".env": "COMPOSE_FILE=deploy/base.yml:other/more.yml\n",
        "deploy/.env": "A=1\n",
        "deploy/base.yml": "services:\n  one:\n    image: one:latest\n    env_file: base.env\n",
        "deploy/base.env": "B=1\n",
        "deploy/more.env": "C=1\n",
        "other/more.yml": "include: [part/part.yml]\nservices: {one: {env_file: more.env}}\n",
        "other/more.env": "not this one\n",
        "deploy/part/part.yml": "services: {two: {image: 'two:latest', env_file: two.env}}\n",
        "deploy/part/two.env": "D=1\n",
        "deploy/part/.env": "E=1\n",
    }.items():
        (world.root / path).parent.mkdir(parents=True, exist_ok=True)
        (world.root / path).write_text(text)
    done(world.init())
    backup(world.host, BackupOptions(tmp_path / "x.tar.gz"))
    files = set(open_archive(tmp_path / "x.tar.gz", Keys()).manifest.files)
    assert {".env", "deploy/.env", "deploy/base.yml", "deploy/base.env", "deploy/more.env", "other/more.yml"} <= files
    assert {"deploy/part/part.yml", "deploy/part/two.env", "deploy/part/.env"} <= files
    assert "other/more.env" not in files


def test_a_broken_stack_can_be_backed_up_without_an_engine(site: World, tmp_path: Path) -> None:
    site.fake.faults.away = True
    saved(site, tmp_path / "x.tar.gz")
    assert open_archive(tmp_path / "x.tar.gz", Keys()).manifest.project == site.root.name
    assert "the Docker Engine does not answer" in site.report.notes[-1]


def test_nothing_is_overwritten_unless_it_is_requested(site: World, archive: Path) -> None:
    with pytest.raises(InputError, match="already exists"):
        saved(site, archive)
    before = archive.read_bytes()
    site.clock.now = site.clock.now.replace(year=2027)
    saved(site, archive, force=True)
    assert archive.read_bytes() != before


def test_an_archive_inside_of_what_it_holds_is_refused(site: World) -> None:
    with pytest.raises(InputError, match="which is part of the backup"):
        saved(site, site.root / "nginx/custom/x.tar.gz")


def test_a_directory_without_a_stack_is_reported(world: World, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no stack"):
        saved(world, tmp_path / "x.tar.gz")
    assert not (tmp_path / "x.tar.gz").exists()


_HOLDER = """
import fcntl, sys
file = open(sys.argv[1], "w")
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_it_waits_for_certbot(site: World, tmp_path: Path) -> None:
    """The lock belongs to a process, so another one has to hold it."""
    path = site.root / CERTBOT_CONF.path / ".certbot.lock"
    with subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as certbot:
        assert certbot.stdin is not None
        assert certbot.stdout is not None
        assert certbot.stdout.readline() == "held\n"
        with pytest.raises(Locked, match="certbot is running"):
            saved(site, tmp_path / "x.tar.gz", wait=0.0)
        assert not (tmp_path / "x.tar.gz").exists()

        class Ending(Notes):
            def note(self, text: str) -> None:
                super().note(text)
                assert certbot.stdin is not None
                certbot.stdin.close()  # certbot ends when it is waited for

        site.report = Ending()
        saved(site, tmp_path / "x.tar.gz")
    assert site.report.notes == ["waiting for certbot, which has locked its tree"]


def test_certbot_is_kept_out_while_it_reads(site: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []

    def pack(*arguments: Any) -> str:
        seen.append((site.root / CERTBOT_CONF.path / ".certbot.lock").exists())
        return real_pack(*arguments)

    monkeypatch.setattr("stackctl.usecases.backup.pack", pack)
    saved(site, tmp_path / "x.tar.gz")
    assert seen == [True]
    assert not (site.root / CERTBOT_CONF.path / ".certbot.lock").exists()
    with config_lock(site.root / CERTBOT_CONF.path) as held:
        assert held


@pytest.mark.parametrize(("changes", "ends"), [(2, True), (10**6, False)])
def test_what_changes_meanwhile_is_read_again(
    site: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: int, ends: bool
) -> None:
    rounds: list[int] = []

    def pack(*arguments: Any) -> str:
        digest = real_pack(*arguments)
        rounds.append(1)
        if len(rounds) <= changes:
            site.custom("http.conf", f"# {len(rounds)}\n")
        return digest

    monkeypatch.setattr("stackctl.usecases.backup.pack", pack)
    if ends:
        saved(site, tmp_path / "x.tar.gz")
        assert len(rounds) == changes + 1
    else:
        with pytest.raises(HostError, match="change while they are read"):
            saved(site, tmp_path / "x.tar.gz")
        assert not (tmp_path / "x.tar.gz").exists()


# Restore


def test_a_stack_comes_back_with_its_certificates(site: World, archive: Path, tmp_path: Path) -> None:
    other = elsewhere(site, tmp_path / "other")
    issued = len(site.fake.ca.issued)
    result = done(restored(other, archive))
    assert (result.command, data(result)["aside"], data(result)["certificates"]) == ("restore", None, [NAME])
    assert kept(other.root) == kept(site.root)
    assert other.served() == {NAME: "real"}
    assert other.fake.loaded[NAME] == site.fake.loaded[NAME]
    assert len(site.fake.ca.issued) == issued
    assert any("name changed from stack to" in note for note in other.report.notes)
    assert not other.up().plan
    assert not (other.root / ".stackctl/restore").exists()


def test_the_same_command_again_only_starts(site: World, archive: Path, tmp_path: Path) -> None:
    other = elsewhere(site, tmp_path / "other")
    result = restored(other, archive, RestoreOptions(start=False))
    assert result.changed
    assert not other.fake.runs
    other.fake.images.pop("one:latest")
    failed = restored(other, archive)
    assert [error.code for error in failed.errors] == [4]
    assert "one:latest cannot be pulled" in str(failed.errors[0])
    other.fake.images["one:latest"] = (8000,)
    done(restored(other, archive))
    assert other.served() == {NAME: "real"}
    assert list(other.root.glob("replaced-*")) == []


def test_a_stack_that_is_there_makes_room_only_by_force(site: World, archive: Path, tmp_path: Path) -> None:
    other = elsewhere(site, tmp_path / "other")
    done(other.init())
    done(other.add("two.example.com"))
    (other.root / "compose.override.yml").write_text("services: {}\n")
    (other.root / "docker-compose.override.yml").write_text("services: {}\n")
    (other.root / "photos").mkdir()
    before = other.tree()
    with pytest.raises(InputError, match="is not empty"):
        restored(other, archive)
    assert other.tree() == before
    shown = restored(other, archive, dry_run=True)
    assert other.tree() == before
    assert "docker-compose.override.yml" in data(shown)["replaced"]

    result = done(restored(other, archive, FORCE))

    aside = other.root / data(result)["aside"]
    assert aside.stat().st_mode & 0o777 == 0o700
    for path in ("docker-compose.yml", "compose.override.yml", "docker-compose.override.yml", "nginx/live"):
        assert os.path.lexists(aside / path), path
    assert (aside / CERTBOT_CONF.path / "live/two.example.com/privkey.pem").is_file()
    assert (other.root / "photos").is_dir()
    assert other.served() == {NAME: "real"}
    assert kept(other.root) == kept(site.root)
    assert "two" not in {run.service.name for run in other.fake.runs.values()}
    asked = [entry.names for entry in other.host.directory.ledger().entries]
    assert sorted(asked) == [(NAME,), ("two.example.com",)], "what was asked of the CA is forgotten on neither side"


def test_a_broken_compose_file_is_no_obstacle(site: World, archive: Path) -> None:
    good = site.text
    site.file.write_text("services: [\n")
    done(restored(site, archive, FORCE))
    assert site.text == good
    assert site.served() == {NAME: "real"}


def test_containers_whose_directory_was_deleted_are_made_anew(site: World, archive: Path) -> None:
    """Their mounts lead to what is no longer there, whatever stands in its place."""
    before = set(site.fake.runs)
    shutil.rmtree(site.root)
    site.root.mkdir()
    done(restored(site, archive))
    assert site.served() == {NAME: "real"}
    assert not before & set(site.fake.runs)


def test_files_can_be_put_in_place_without_an_engine(site: World, archive: Path, tmp_path: Path) -> None:
    other = elsewhere(site, tmp_path / "other")
    other.fake.faults.away = True
    restored(other, archive, RestoreOptions(start=False))
    assert kept(other.root) == kept(site.root)
    site.custom("http.conf", "# new\n")
    site.fake.faults.away = True
    before = site.tree()
    with pytest.raises(StackctlError, match="Docker Engine does not answer"):
        restored(site, archive, RestoreOptions(force=True, start=False))
    assert site.tree() == before, "nobody knows whether it runs"


def test_containers_of_another_directory_are_not_taken_over(site: World, archive: Path, tmp_path: Path) -> None:
    """A restore tried out next to the live stack, in a directory of the same name."""
    other = elsewhere(site, tmp_path / "drill" / "stack")
    other.fake.runs = site.fake.runs
    before = dict(site.fake.runs)
    with pytest.raises(HostError, match="is already used by the stack in") as caught:
        restored(other, archive)
    assert str(site.root) in str(caught.value)
    assert site.fake.runs == before
    assert "all files are restored, but the stack is not started" in other.report.notes[-1]


def test_an_altered_archive_is_refused_before_anything_is_touched(site: World, archive: Path, tmp_path: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[len(content) // 2] ^= 0xFF
    archive.write_bytes(content)
    other = elsewhere(site, tmp_path / "other")
    with pytest.raises(InputError, match="truncated or altered") as caught:
        restored(other, archive)
    assert caught.value.where == str(archive)
    assert list(other.root.iterdir()) == []
    with pytest.raises(InputError, match="does not exist"):
        restored(other, tmp_path / "nowhere")


def test_an_archive_that_is_swapped_after_it_was_verified_leaves_nothing(
    site: World, archive: Path, tmp_path: Path
) -> None:
    other = elsewhere(site, tmp_path / "other")
    opened = open_archive(archive, Keys())
    content = archive.read_bytes()
    os.truncate(archive, len(content) - 20)
    with pytest.raises(InputError, match="truncated or altered"):
        restore(other.host, opened, PLAIN, lambda: other.host)
    assert [path for path in other.root.rglob("*") if path.is_file()] == []


def test_a_full_disk_is_reported_before(
    site: World, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = elsewhere(site, tmp_path / "other")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: shutil._ntuple_diskusage(10, 5, 5))
    with pytest.raises(HostError, match="the disk is full"):
        restored(other, archive)
    assert list(other.root.iterdir()) == []


def test_an_interrupted_restore_is_not_mixed_with_another_archive(
    site: World, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = elsewhere(site, tmp_path / "other")
    with Guillotine(monkeypatch, at=30) as fell, pytest.raises(Killed):
        restored(other, archive)
    assert fell.blade
    while not (other.root / ".stackctl/restore/journal.json").exists():
        with Guillotine(monkeypatch, at=fell.at + 5) as fell, pytest.raises(Killed):
            restored(other, archive)
    site.custom("http.conf", "# new\n")
    third = open_archive(saved(site, tmp_path / "three.tar.gz"), Keys())
    with pytest.raises(InputError, match="another archive"):
        refuse_occupied(other.root, third, RestoreOptions())
    done(restored(other, tmp_path / "three.tar.gz", FORCE))
    assert kept(other.root) == kept(site.root)


# Encryption


@pytest.mark.usefixtures("_quick_passphrase")
@pytest.mark.parametrize("kind", ["passphrase", "recipient"])
def test_an_encrypted_archive_is_opened_by_its_key_alone(kind: str, site: World, tmp_path: Path) -> None:
    pyrage = pytest.importorskip("pyrage")
    identity, stranger = pyrage.x25519.Identity.generate(), pyrage.x25519.Identity.generate()
    (tmp_path / "key").write_text(f"# public key: {identity.to_public()}\n{identity}\n")
    (tmp_path / "strange").write_text(f"{stranger}\n")
    (tmp_path / "none").write_text("hello\n")
    seals = {"passphrase": Seal("correct horse"), "recipient": Seal(recipients=(str(identity.to_public()),))}
    right: dict[str, dict[str, Any]] = {
        "passphrase": {"passphrase": "correct horse"}, "recipient": {"identity": tmp_path / "key"},
    }  # fmt: skip
    strangers = [{"identity": tmp_path / "strange"}, {"identity": tmp_path / "none"}]
    wrong: dict[str, list[dict[str, Any]]] = {
        "passphrase": [{}, {"passphrase": "battery"}, {"identity": tmp_path / "key"}],
        "recipient": [{}, {"passphrase": "battery"}, *strangers],
    }
    path = saved(site, tmp_path / "x.age", seal=seals[kind])
    assert path.stat().st_mode & 0o777 == 0o600
    other = elsewhere(site, tmp_path / "other")
    for keys in wrong[kind]:
        with pytest.raises(InputError):
            restored(other, path, **keys)
    content = path.read_bytes()
    for altered in (content[:-1], content[:300] + bytes([content[300] ^ 1]) + content[301:]):
        (tmp_path / "altered").write_bytes(altered)
        with pytest.raises(InputError, match="cannot be decrypted"):
            restored(other, tmp_path / "altered", **right[kind])
    assert list(other.root.iterdir()) == []
    done(restored(other, path, **right[kind]))
    assert kept(other.root) == kept(site.root)


def test_a_recipient_that_is_none_is_reported_before_anything_is_read(site: World, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="not an age recipient"):
        saved(site, tmp_path / "x", seal=Seal(recipients=("age1nonsense",)))
    assert not (tmp_path / "x").exists()


@pytest.mark.slow
def test_pyrage_itself_seals_with_a_passphrase(site: World, tmp_path: Path) -> None:
    """It takes about a second for each use of the passphrase, on purpose."""
    path = saved(site, tmp_path / "x.age", seal=Seal("correct horse"))
    other = elsewhere(site, tmp_path / "other")
    with pytest.raises(InputError, match="the passphrase is wrong"):
        restored(other, path, passphrase="battery")
    done(restored(other, path, passphrase="correct horse"))
    assert kept(other.root) == kept(site.root)


@pytest.mark.usefixtures("_quick_passphrase")
def test_without_the_extra_it_says_what_to_install(
    site: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sealed = saved(site, tmp_path / "x.age", seal=Seal("secret"))
    monkeypatch.setitem(sys.modules, "pyrage", None)
    for attempt in (
        lambda: saved(site, tmp_path / "y.age", seal=Seal("secret")),
        lambda: open_archive(sealed, Keys("secret")),
    ):
        with pytest.raises(StackctlError, match="needs the Python package pyrage") as caught:
            attempt()
        assert "pipx install --force '.[age]'" in (caught.value.hint or "")


def test_an_archive_can_be_written_to_a_pipe(site: World, tmp_path: Path) -> None:
    into = io.BytesIO()
    result = backup(site.host, BackupOptions(into))
    (tmp_path / "x").write_bytes(into.getvalue())
    assert open_archive(tmp_path / "x", Keys()).digest == data(result)["digest"]
    assert data(result)["archive"] == "-"


# Crashes


class Guillotine:
    """Ends the process before a chosen change of the disk: nothing after it happens, no clean-up either."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, at: int | None = None) -> None:
        self._patch = monkeypatch
        self.at = at or 10**9
        self.count = 0
        self.blade = False

    def __enter__(self) -> Self:
        self._context = self._patch.context()
        patch = self._context.__enter__()
        for name in ("rename", "replace", "mkdir", "symlink_to", "unlink", "chmod"):
            patch.setattr(Path, name, self._guarded(getattr(Path, name)))
        patch.setattr(shutil, "rmtree", self._guarded(shutil.rmtree))
        return self

    def __exit__(self, *error: object) -> None:
        self._context.__exit__(None, None, None)

    def _guarded(self, change: Callable[..., Any]) -> Callable[..., Any]:
        def guarded(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            self.blade = self.blade or self.count >= self.at
            if self.blade:
                raise Killed(f"{change.__name__} {arguments[0]}")
            return change(*arguments, **options)

        return guarded


@pytest.mark.slow
@pytest.mark.parametrize("over", [False, True], ids=["empty", "over a running stack"])
def test_a_restore_that_was_killed_anywhere_is_finished_by_the_same_command(
    over: bool, site: World, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what was there before is whole all the time: in its place, or aside."""
    start = elsewhere(site, tmp_path / "start" / "stack")
    if over:
        done(start.init())
        done(start.add("two.example.com"))
    old = kept(start.root)
    expected = kept(site.root)
    options = RestoreOptions(force=over, start=False)
    whole = start.copy(tmp_path / "whole" / "stack")
    with Guillotine(monkeypatch) as count:
        restored(whole, archive, options)
    assert kept(whole.root) == expected
    for at in range(1, count.count + 1):
        world = start.copy(tmp_path / str(at) / "stack")
        with Guillotine(monkeypatch, at) as fell, pytest.raises(Killed):
            restored(world, archive, options)
        assert fell.blade
        backups = list(world.root.glob("replaced-*"))
        there = [kept(root) for root in (world.root, *backups)]
        assert not old or all(any(place.get(path) == fact for place in there) for path, fact in old.items() if fact[2])
        restored(world, archive, RestoreOptions(start=False) if not over else options)
        assert kept(world.root) == expected, at
        (aside,) = list(world.root.glob("replaced-*")) if over else [None]
        if aside is not None:
            assert {path: fact for path, fact in kept(aside).items() if fact[2]} == {
                path: fact for path, fact in old.items() if fact[2]
            }, at
        assert not (world.root / ".stackctl/restore").exists()
        if at % 25 == 0:
            done(restored(world, archive))
            assert world.served() == {NAME: "real"}


@pytest.mark.slow
@pytest.mark.parametrize("over", [False, True], ids=["empty", "over a running stack"])
def test_a_start_that_was_killed_anywhere_is_finished_by_the_same_command(
    over: bool, site: World, archive: Path, tmp_path: Path
) -> None:
    start = elsewhere(site, tmp_path / "start" / "stack")
    if over:
        done(start.init())
        done(start.add("two.example.com"))
    options = RestoreOptions(force=over)
    start.fake.calls.append("")
    whole = start.copy(tmp_path / "whole" / "stack")
    first = len(whole.fake.calls)
    done(restored(whole, archive, options))
    issued = len(site.fake.ca.issued)
    for at in range(first + 1, len(whole.fake.calls) + 1):
        world = start.copy(tmp_path / str(at) / "stack")
        world.fake.kill_before = at
        with pytest.raises(Killed):
            restored(world, archive, options)
        world.fake.kill_before = None
        done(restored(world, archive, options))
        assert world.served() == {NAME: "real"}, at
        assert kept(world.root) == kept(site.root)
        assert {run.service.name for run in world.fake.runs.values()} == {"nginx", "certbot", "one"}
        assert len(list(world.root.glob("replaced-*"))) == over
    assert len(site.fake.ca.issued) == issued


@pytest.mark.usefixtures("_quick_passphrase")
def test_an_encrypted_archive_that_does_not_fit_in_memory_is_refused(
    site: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = saved(site, tmp_path / "x.age", seal=Seal("secret"))
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=1000))
    with pytest.raises(HostError, match="is decrypted in memory") as refused:
        open_archive(path, Keys(passphrase="secret"))
    assert "'age -d'" in (refused.value.hint or "")
