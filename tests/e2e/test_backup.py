"""A backup brings a stack back as it was: the same certificates on the wire, the same bytes in certbot's tree."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyrage
import pytest
from cryptography import x509

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import CERTBOTS_LOCK, Stack, docker, wait_until

pytestmark = pytest.mark.e2e

CONF = "data/certbot/conf"


@pytest.fixture(scope="module")
def site(new_stack: NewStack) -> Stack:
    """Two apps with certificates, one of which was renewed, and files of the user's own."""
    stack = new_stack()
    stack.init()
    first, _ = stack.add("app1"), stack.add("app2")
    stack.ok("renew", "--force", first)
    stack.edit("    expose:\n", "    env_file: app.env\n    expose:\n")
    (stack.directory / "app.env").write_text("GREETING=hello\n")
    (stack.directory / "nginx/custom" / f"{first}.conf").write_text("add_header X-Kept yes always;\n")
    stack.ok("up")
    return stack


@pytest.fixture
def elsewhere(site: Stack) -> Iterator[Stack]:
    """An empty directory of another name, whose stack is published where the first one was."""
    directory = site.directory.with_name(f"{site.directory.name}-restored")
    directory.mkdir()
    made = replace(site, directory=directory)
    yield made
    made.remove()


def tree(root: Path) -> dict[str, tuple[object, ...]]:
    """Mode, owner, time and content of certbot's tree; of a folder no time, as certbot locks in the topmost."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(path for path in (root / CONF).rglob("*") if path != root / CERTBOTS_LOCK):
        facts = path.lstat()
        content: object = path.readlink() if path.is_symlink() else None if path.is_dir() else path.read_bytes()
        moment = None if path.is_dir() else int(facts.st_mtime)
        found[str(path.relative_to(root))] = (facts.st_mode, facts.st_uid, facts.st_gid, moment, content)
    return found


def test_a_stack_comes_back_in_another_directory(site: Stack, elsewhere: Stack, tmp_path: Path) -> None:
    names = [site.domain("app1"), site.domain("app2")]
    serials = {name: site.serial(name) for name in names}
    archive, sealed = tmp_path / "site.tar.gz", tmp_path / "site.age"
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "key.txt").write_text(f"# mine\n{identity}\n")
    before = site.state()

    told = json.loads(site.ok("backup", archive, "--output", "json").stdout)

    assert site.state() == before, "a backup changes nothing"
    assert archive.stat().st_mode & 0o777 == 0o600
    assert (told["files"] > 10, sorted(told["certificates"]), told["encrypted"]) == (True, sorted(names), False)
    with tarfile.open(archive) as tar:
        members = tar.getnames()
    assert members[0] == "manifest.json"
    assert {"stack/docker-compose.yml", "stack/app.env", "stack/data/ca/bundle.pem"} <= set(members)
    assert not [name for name in members if "/generations" in name or "/certs/" in name]
    site.fails(2, "backup", archive)
    site.ok("backup", sealed, "--recipient", str(identity.to_public()))
    assert b"PRIVATE KEY" not in sealed.read_bytes()
    assert sealed.read_bytes().startswith(b"age-encryption.org/v1\n")

    # What runs is not taken over from another directory; then the machine is lost.
    copy = json.loads(site.ok("restore", archive, "--dry-run", "--output", "json").stdout)
    assert (copy["digest"], copy["replaced"]) == (told["digest"], [])
    saved = tree(site.directory)
    issued = len(list((site.directory / CONF / "archive").rglob("cert*.pem")))
    site.ok("down")
    shutil.rmtree(site.directory)

    elsewhere.fails(2, "restore", sealed)
    assert list(elsewhere.directory.iterdir()) == [], "nothing is touched without the key"
    elsewhere.ok("restore", sealed, "--identity", tmp_path / "key.txt", "--no-up")
    assert tree(elsewhere.directory) == saved
    assert not elsewhere.containers()
    done = elsewhere.ok("restore", sealed, "--identity", tmp_path / "key.txt")

    assert f"the project's name changed from {site.project} to " in done.stdout
    assert {name: elsewhere.serial(name) for name in names} == serials
    assert all(elsewhere.trusted(name) for name in names)
    assert elsewhere.https(names[0]).headers["X-Kept"] == "yes"
    assert len(list((elsewhere.directory / CONF / "archive").rglob("cert*.pem"))) == issued, "nothing was issued again"
    environment = docker("inspect", "--format", "{{.Config.Env}}", elsewhere.container("app1"))
    assert "GREETING=hello" in environment
    again = elsewhere.state()
    elsewhere.ok("up")
    assert elsewhere.state() == again

    # certbot goes on from there, with the account and the links it had.
    elsewhere.ok("renew", "--force", names[1])
    assert elsewhere.serial(names[1]) != serials[names[1]]
    assert elsewhere.lineages() == sorted(names)
    _goes_back_over_a_running_stack(elsewhere, archive, serials)


def _is_gone(directory: Path) -> bool:
    shutil.rmtree(directory, ignore_errors=True)
    return not directory.exists()


def _goes_back_over_a_running_stack(elsewhere: Stack, archive: Path, serials: dict[str, int]) -> None:
    """The newer certificate is put aside, not deleted."""
    elsewhere.fails(2, "restore", archive)
    newer = {name: serial for name in serials if (serial := elsewhere.serial(name)) != serials[name]}
    assert len(newer) == 1
    elsewhere.ok("restore", archive, "--force")
    assert {name: elsewhere.serial(name) for name in serials} == serials
    (aside,) = elsewhere.directory.glob("replaced-*")
    assert aside.stat().st_mode & 0o777 == 0o700
    for name, serial in newer.items():
        kept = x509.load_pem_x509_certificate((aside / CONF / "live" / name / "cert.pem").read_bytes())
        assert kept.serial_number == serial

    # The directory is deleted while its containers run: their mounts lead to what is no longer there.
    wait_until(lambda: _is_gone(elsewhere.directory), 20, "certbot writes nothing more there")
    elsewhere.directory.mkdir()
    elsewhere.ok("restore", archive)
    assert {name: elsewhere.serial(name) for name in serials} == serials
    assert all(elsewhere.trusted(name) for name in serials)
    elsewhere.ok("renew", "--force", min(serials))
    assert elsewhere.serial(min(serials)) != serials[min(serials)]
