"""Nothing in certbot's tree takes a site off its certificate, or keeps the proxy from starting."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from stackctl.certs.dummy import is_dummy
from stackctl.certs.issuer import copies
from stackctl.certs.lineage import read_certificate
from stackctl.engine.backup.sealing import Keys
from stackctl.model.acme import LETSENCRYPT
from stackctl.plan.copies import CopyLineage, CopyStored
from stackctl.usecases.backup import BackupOptions, backup
from stackctl.usecases.restore import RestoreOptions, open_archive, restore
from tests.usecases.world import World, data, done

pytestmark = pytest.mark.slow

ONE, TWO = "one.example.com", "two.example.com"
CONF = Path("data/certbot/conf")
FILES = [
    *(CONF / "live" / ONE / f"{kind}.pem" for kind in ("cert", "chain", "fullchain", "privkey")),
    *(CONF / "archive" / ONE / f"{kind}1.pem" for kind in ("cert", "chain", "fullchain", "privkey")),
    CONF / "renewal" / f"{ONE}.conf",
]
FOLDERS = [CONF / "live" / ONE, CONF / "archive" / ONE, CONF / "live", CONF / "archive", CONF / "renewal", CONF]


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def halved(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def zeroed(path: Path) -> None:
    """As after a power cut, on some file systems."""
    path.write_bytes(bytes(path.stat().st_size))


def of_another(path: Path) -> None:
    """The file of another lineage, where it has the same one."""
    other = Path(str(path).replace(ONE, TWO))
    path.write_bytes(other.read_bytes())


def a_loop(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def deleted(path: Path) -> None:
    path.unlink()


DAMAGES: list[Callable[[Path], None]] = [deleted, emptied, halved, zeroed, of_another, a_loop, a_folder]


def restart_proxy(world: World) -> None:
    """Start the proxy from what is on disk, as a reboot does."""
    world.fake.remove([one.id for one in world.fake.containers("stack") if one.role == "proxy"])
    world.fake.loaded = {}
    world.fake.up(["nginx"])


def shown(world: World) -> dict[str, str]:
    return {name: one.fingerprint for name, one in sorted(world.fake.loaded.items())}


def pairs_of(world: World) -> list[Path]:
    """The folders that the live files name, each with a chain and a key that fit."""
    found = [
        world.root / "data/certbot/deploy" / path
        for body in world.live().values()
        for path in re.findall(r"ssl_certificate /var/lib/stackctl/(\S+)/fullchain.pem;", body.decode())
    ]
    for folder in found:
        leaf = x509.load_pem_x509_certificate((folder / "fullchain.pem").read_bytes())
        key = serialization.load_pem_private_key((folder / "privkey.pem").read_bytes(), None)
        assert key.public_key() == leaf.public_key()
        assert (folder / "privkey.pem").stat().st_mode & 0o777 == 0o600
    return found


def run_hook(world: World) -> None:
    """What the loop does after each round."""
    copies.main(str(world.root / CONF), str(world.root / "data/certbot/deploy"), None)


def unharmed(world: World, before: dict[str, str]) -> None:
    """The proxy starts, and shows both certificates, whoever looks at the tree."""
    assert len(pairs_of(world)) == 2
    restart_proxy(world)
    assert shown(world) == before
    run_hook(world)
    restart_proxy(world)
    assert shown(world) == before


QUICK = [
    *((file, halved) for file in FILES),
    *((FILES[number], damage) for number, damage in enumerate(DAMAGES) if damage is not halved),
]
"""Each file and each damage once; all of them take some seconds."""


@pytest.mark.parametrize(
    ("file", "damage"),
    [
        pytest.param(file, damage, marks=() if (file, damage) in QUICK else pytest.mark.slow)
        for file in FILES
        for damage in DAMAGES
    ],
    ids=lambda one: one.__name__ if callable(one) else str(one),
)
def test_no_damage_of_a_file_takes_a_site_off_its_certificate(
    two: World, damage: Callable[[Path], None], file: Path
) -> None:
    before = shown(two)
    damage(two.root / file)
    unharmed(two, before)
    two.up(issue=False)
    restart_proxy(two)
    assert shown(two) == before
    assert two.served() == {ONE: "real", TWO: "real"}
    assert len(pairs_of(two)) == 2


@pytest.mark.parametrize("folder", FOLDERS, ids=str)
@pytest.mark.parametrize("left", ["nothing", "a file", "an empty folder"])
def test_no_loss_of_a_folder_does(two: World, folder: Path, left: str) -> None:
    before = shown(two)
    shutil.rmtree(two.root / folder)
    if left == "a file":
        (two.root / folder).write_text("")
    elif left == "an empty folder":
        (two.root / folder).mkdir()
    unharmed(two, before)
    if (folder, left) != (CONF, "a file"):  # certbot's mount itself
        two.up(issue=False)
        restart_proxy(two)
        assert shown(two) == before


def test_status_and_doctor_say_what_is_served_and_what_is_broken(two: World) -> None:
    (two.root / CONF / "live" / ONE / "privkey.pem").unlink()
    row = two.rows()[ONE]
    assert row["certificate_problem"] == "privkey.pem is missing"
    assert row["served"] == "real"
    assert row["days_left"] == 90
    found = [row for row in checks(two) if row["subject"] == ONE]
    texts = {row["name"]: (row["verdict"], row["text"]) for row in found}
    assert texts["cert-issued"][0] == "wrong"
    assert texts["cert-copy"] == ("ok", "the proxy serves its last good copy, which is valid until 2026-10-30")
    assert texts["cert-wire"] == ("ok", "the proxy serves it")


def test_a_lost_lineage_is_issued_again_while_its_copy_is_served(two: World) -> None:
    before = shown(two)
    two.fake.execute(container(two, "certbot"), ["certbot", "delete", "--cert-name", ONE])
    two.fake.faults.issue[ONE] = "unauthorized"
    two.up()
    assert shown(two) == before
    assert "certbot's tree no longer has it" in str(two.rows()[ONE]["certificate_problem"])
    two.fake.faults.issue.clear()
    done(two.up(ledger=False))
    assert shown(two)[ONE] != before[ONE]
    assert two.served() == {ONE: "real", TWO: "real"}
    assert not two.up().plan


def test_a_copy_is_served_until_it_expires_and_then_the_dummy_is(two: World) -> None:
    for folder in ("live", "archive"):
        shutil.rmtree(two.root / CONF / folder / ONE)
    two.clock.now += timedelta(days=89)
    done(two.up(issue=False))
    assert two.served()[ONE] == "real"
    two.clock.now += timedelta(days=2)
    done(two.up(issue=False))
    assert two.served()[ONE] == "dummy"
    assert two.on_http(ONE)
    unharmed(two, shown(two))


def test_what_certbot_renewed_without_its_hook_is_copied_by_the_next_command(two: World) -> None:
    before = shown(two)
    renewed = issue(two, ONE)
    restart_proxy(two)
    assert shown(two) == before, "nothing copied it"
    (problem,) = [row for row in checks(two) if row["verdict"] == "wrong"]
    assert (problem["name"], problem["text"]) == (
        "cert-copy",
        "the proxy has another copy of it: certbot's deploy hook did not run",
    )
    assert problem["todo"] == "run 'stackctl up', which copies it"
    done(two.up())
    assert shown(two) == {**before, ONE: renewed}
    assert [row for row in checks(two) if row["verdict"] == "wrong"] == []


def test_the_round_of_the_loop_copies_it_too_and_stamps(two: World) -> None:
    renewed = issue(two, ONE)
    run_hook(two)
    assert (two.root / "data/certbot/deploy/renewed").is_file()
    restart_proxy(two)
    assert shown(two)[ONE] == renewed
    assert not two.up().plan


def test_damaged_and_lost_copies_are_made_again(two: World) -> None:
    before = shown(two)
    pairs = two.root / "data/certbot/deploy/pairs"
    halved((pairs / "lineages" / ONE).resolve() / "fullchain.pem")
    (pairs / "lineages" / TWO).unlink()
    made = done(two.up())
    assert [one.lineage for one in made.plan.operations if isinstance(one, CopyLineage)] == [ONE, TWO]
    unharmed(two, before)
    shutil.rmtree(pairs)
    done(two.up())
    unharmed(two, before)
    assert not two.up().plan


def test_a_half_written_import_keeps_its_last_good_copy(two: World) -> None:
    chain, key = two.fake.ca.issue([ONE], two.clock())
    shutil.rmtree(two.root / CONF)
    two.host.directory.remove_copy(ONE)
    two.host.directory.store_pair(ONE, chain, key)
    done(two.up(issue=False))
    before = shown(two)
    assert before[ONE] == read_certificate(chain).fingerprint
    new_chain, new_key = two.fake.ca.issue([ONE], two.clock())
    stored = two.root / "data/certs" / ONE
    (stored / "fullchain.pem").write_bytes(new_chain)
    done(two.up(issue=False))
    restart_proxy(two)
    assert shown(two) == before
    (problem,) = [row for row in checks(two) if row["name"] == "cert-copy" and row["subject"] == ONE]
    assert problem["verdict"] == "wrong"
    assert "privkey.pem does not match the certificate" in problem["text"]
    (stored / "privkey.pem").write_bytes(new_key)
    made = done(two.up(issue=False))
    assert [one.site for one in made.plan.operations if isinstance(one, CopyStored)] == [ONE]
    assert shown(two)[ONE] == read_certificate(new_chain).fingerprint


def test_a_removed_certificate_leaves_no_copy_of_its_key(two: World) -> None:
    done(two.remove(ONE, delete_cert=True))
    pairs = two.root / "data/certbot/deploy/pairs"
    assert [path.name for path in (pairs / "lineages").iterdir()] == [TWO]
    leaves = [read_certificate(path.read_bytes()) for path in pairs.glob("versions/*/cert.pem")]
    assert leaves
    assert all(leaf.names == (TWO,) for leaf in leaves)
    done(two.up())
    assert shown(two).keys() == {TWO}


def test_the_proxys_container_sees_what_it_serves_and_nothing_more(two: World) -> None:
    services = two.fake.resolve(two.text).services
    mounts = {mount.source: mount.read_only for mount in services["nginx"].mounts}
    assert mounts == dict.fromkeys(("nginx", "data/certbot/www", "data/certbot/deploy"), True)
    below = [path.name for path in (two.root / "data/certbot/deploy").rglob("*")]
    assert not {"accounts", "renewal", "private_key.json"} & set(below)


def checks(world: World) -> list[dict[str, Any]]:
    """The checks of ``doctor``, of a stack whose loop and containers are not looked at."""
    world.doctor()
    return [row for section in data(world.diagnosis)["sections"] for row in section["checks"]]


def issue(world: World, name: str) -> str:
    """Let certbot renew a lineage with nobody but itself; returns the fingerprint."""
    world.fake._certbot._store(
        name, *world.fake.ca.issue([name], world.clock()), ["--server", LETSENCRYPT, "--key-type", "ecdsa"]
    )
    return read_certificate((world.root / CONF / "live" / name / "fullchain.pem").read_bytes()).fingerprint


def container(world: World, service: str) -> str:
    return next(one.id for one in world.fake.containers("stack") if one.service == service)


def test_a_copy_that_nothing_needs_any_more_is_deleted(two: World) -> None:
    done(two.remove(ONE))
    assert not two.up().plan, "certbot still renews it"
    two.fake.execute(container(two, "certbot"), ["certbot", "delete", "--cert-name", ONE])
    two.custom("http.conf", f"# ssl_certificate /etc/letsencrypt/live/{ONE}/fullchain.pem;\n")
    done(two.up())
    assert not two.up().plan, "a directive of the user's names it"
    two.custom("http.conf", "")
    made = done(two.up())
    assert f"delete the copy of the certificate {ONE}  (certbot no longer has it, and no site uses it)" in str(
        made.plan
    )
    pairs = two.root / "data/certbot/deploy/pairs"
    assert [path.name for path in (pairs / "lineages").iterdir()] == [TWO]
    real = [path for path in pairs.glob("versions/*/cert.pem") if not is_dummy(read_certificate(path.read_bytes()))]
    assert len(real) == 1
    assert not two.up().plan


def test_a_backup_holds_the_last_good_copy_of_a_broken_certificate(two: World, tmp_path: Path) -> None:
    before = shown(two)
    for folder in ("live", "archive"):
        shutil.rmtree(two.root / CONF / folder / ONE)
    archive = tmp_path / "stack.tar.gz"
    assert backup(two.host, BackupOptions(archive)).code == 0
    other = World(tmp_path / "other" / "stack")
    other.clock.now, other.fake.ca = two.clock.now, two.fake.ca
    options = RestoreOptions(issue=False)
    restore(other.host, open_archive(archive, Keys()), options, lambda: other.host)
    assert shown(other) == before
    assert other.rows()[ONE]["certificate_problem"]
