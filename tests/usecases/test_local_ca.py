"""The stack's own CA: it issues for local names, renews without a network, and is replaced only on request."""

from __future__ import annotations

import tarfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from stackctl.certs.issuer.copies import STORED, copied
from stackctl.certs.issuer.local import renew
from stackctl.certs.shelf import Source, Stored
from stackctl.engine.backup.selection import select
from stackctl.errors import IssueFailed, StackfileError
from stackctl.plan.certificates import CheckNames, Issue, RefuseIssue
from stackctl.plan.local_ca import MakeLocalCa
from stackctl.usecases.backup import BackupOptions, backup
from stackctl.usecases.init import InitOptions
from stackctl.usecases.status import status
from tests.usecases.world import World, done

APP, PUBLIC = "one.localhost", "two.example.com"
CA = Path("data/ca/local")


@pytest.fixture
def local(world: World) -> World:
    done(world.init(replace(InitOptions(), ca="local")))
    return world


def stored(world: World, name: str = APP) -> Stored:
    found = world.host.directory.shelf([name], world.clock()).stored[name]
    assert found.source == Source.LOCAL
    return found


def kinds(world: World) -> list[type[object]]:
    return [type(one) for one in world.up().plan.operations]


def test_init_makes_a_root_that_is_limited_and_no_key_of_it(local: World) -> None:
    root = x509.load_pem_x509_certificate((local.root / CA / "root.pem").read_bytes())
    constraints = root.extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    assert [str(one.value) for one in constraints.value.permitted_subtrees or ()] == ["localhost", "test", "internal"]
    issuer = local.root / CA / "issuer.pem"
    assert issuer.stat().st_mode & 0o777 == 0o600
    key = serialization.load_pem_private_key(issuer.read_bytes().split(b"-----END CERTIFICATE-----\n")[1], None)
    assert key.public_key() != root.public_key()
    text = (local.root / "docker-compose.yml").read_text()
    assert 'ca: "local"' in text
    assert "agree-tos" not in text
    assert not local.up().plan


def test_an_app_gets_a_certificate_without_any_ca_or_dns(local: World) -> None:
    result = done(local.add(APP))
    assert not any(isinstance(one, CheckNames) for one in result.plan.operations)
    assert [one.source for one in result.plan.operations if isinstance(one, Issue)] == [Source.LOCAL]
    assert local.served() == {APP: "real"}
    assert local.fake.ca.issued == []
    assert stored(local).certificate.issuer.startswith("stackctl local CA ")
    assert not local.up().plan


def test_a_public_name_is_refused_before_anything_is_written(local: World) -> None:
    before = (local.root / "docker-compose.yml").read_bytes()
    with pytest.raises(IssueFailed, match=r"can only issue for names below \.localhost") as refused:
        local.add(PUBLIC)
    assert "local-domains" in str(refused.value.hint)
    assert (local.root / "docker-compose.yml").read_bytes() == before


def test_a_further_domain_needs_a_new_root(local: World) -> None:
    done(local.add(APP))
    first = stored(local)
    local.edit('ca: "local"\n', "ca: local\n  local-domains: [example.com]\n")
    assert not local.up().plan, "the root of old does for the sites that there are"
    with pytest.raises(IssueFailed) as refused:
        local.add(PUBLIC)
    assert str(refused.value.hint).startswith("run 'stackctl init --new-root'")
    done(local.init(replace(InitOptions(), new_root=True)))
    assert stored(local).certificate.issuer != first.certificate.issuer
    assert local.served() == {APP: "real"}
    done(local.add(PUBLIC))
    assert local.served() == {APP: "real", PUBLIC: "real"}


def test_a_lost_key_is_never_replaced_without_request(local: World) -> None:
    done(local.add(APP))
    (local.root / CA / "issuer.pem").unlink()
    assert not local.up().plan, "the certificate is served until its end"
    local.clock.now += timedelta(days=25)
    result = local.up()
    (refused,) = [one for one in result.plan.operations if isinstance(one, RefuseIssue)]
    assert "issuer.pem, is missing" in refused.cause
    assert "init --new-root" in refused.todo
    done(local.init(replace(InitOptions(), new_root=True)))
    assert local.served() == {APP: "real"}


def test_the_whole_ca_is_lost(local: World) -> None:
    done(local.add(APP))
    for path in (local.root / CA).iterdir():
        path.unlink()
    local.edit(f"- {APP}\n", f"- {APP}\n        - www.{APP}\n")
    assert MakeLocalCa not in kinds(local)
    assert RefuseIssue in kinds(local)


def test_names_change(local: World) -> None:
    done(local.add(APP))
    local.edit(f"- {APP}\n", f"- {APP}\n        - www.{APP}\n")
    done(local.up())
    assert stored(local).certificate.names == (APP, f"www.{APP}")


def test_the_loop_renews_the_copy_and_stackctl_takes_it(local: World) -> None:
    done(local.add(APP))
    before, home = stored(local), local.root / "data/certbot/deploy/pairs"
    assert renew(local.root / CA, home, local.clock()) == (False, {}), "it is not due"
    local.clock.now += timedelta(days=21)
    assert renew(local.root / CA, home, local.clock()) == (True, {})
    after = stored(local)
    assert after.certificate.not_after > before.certificate.not_after
    there = copied(home, STORED, APP)
    assert there is not None
    assert after.version == there[0]
    assert status(local.host).payload.sites[0].not_after == after.certificate.not_after
    local.up()
    assert stored(local) == after
    assert not local.up().plan
    (local.root / CA / "issuer.pem").unlink()
    local.clock.now += timedelta(days=21)
    assert renew(local.root / CA, home, local.clock()) == (False, {APP: "the local CA has no key"})


def test_a_removed_site_leaves_nothing_for_the_loop(local: World) -> None:
    done(local.add(APP))
    done(local.remove(APP))
    assert not (local.root / "data/certs" / APP).exists()
    assert not (local.root / "data/certbot/deploy/pairs/stored" / APP).exists()


def test_the_same_file_takes_a_public_ca_and_name_by_variables(local: World) -> None:
    local.edit('ca: "local"\n', "ca: ${CA:-local}\n  agree-tos: true\n")
    done(local.add(APP))
    local.edit(f"- {APP}\n", f'- "${{DOMAIN:-{APP}}}"\n')
    assert not local.up().plan
    (local.root / ".env").write_text("CA=https://ca.example.com/directory\n")
    result = done(local.up())
    assert [one.source for one in result.plan.operations if isinstance(one, Issue)] == [Source.ACME]
    assert local.fake.ca.issued == [(APP,)]
    assert not (local.root / "data/certs" / APP / "source").exists(), "the local one is not kept"
    assert not local.up().plan
    (local.root / ".env").write_text(f"CA=https://ca.example.com/directory\nDOMAIN={PUBLIC}\n")
    done(local.up())
    assert local.served() == {PUBLIC: "real"}
    (local.root / ".env").write_text("")
    done(local.up())
    assert stored(local).real
    assert local.served() == {APP: "real"}
    assert not local.up().plan


def test_only_an_encrypted_backup_has_the_key(local: World, tmp_path: Path) -> None:
    done(local.add(APP))
    plain = backup(local.host, BackupOptions(tmp_path / "plain.tar.gz"))
    assert any("issuer.pem is not in the archive" in note for note in plain.notes)
    with tarfile.open(tmp_path / "plain.tar.gz") as archive:
        names = {Path(name).relative_to("stack") for name in archive.getnames() if name.startswith("stack/")}
    assert CA / "root.pem" in names
    assert CA / "issuer.pem" not in names
    files = local.host.directory.files
    assert CA.parent.as_posix() in select(files, tuple, sealed=True).paths


def test_a_lost_key_is_named_wherever_somebody_asks_for_a_certificate(local: World) -> None:
    done(local.add(APP))
    (local.root / CA / "issuer.pem").unlink()
    (failed,) = local.renew(APP).errors
    assert "the key of the local CA, data/ca/local/issuer.pem, is missing" in failed.message
    assert "restore it from a backup" in str(failed.hint)
    (row,) = status(local.host).payload.sites
    assert "issuer.pem, is missing: nothing renews its certificate" in str(row.ending)
    assert row.served == "real"
    (local.root / CA / "root.pem").unlink()
    (row,) = status(local.host).payload.sites
    assert "data/ca/local with the root and the key of the local CA is lost" in str(row.ending)


def test_doctor_asks_no_dns_and_no_ca(local: World) -> None:
    done(local.add(APP))
    local.network.records.clear()
    found = local.doctor()
    assert list(found) == ["host", "local-ca", "certbot", "apps", "certificates"]
    assert found["local-ca"] == {"local-ca": "ok", "local-trust": "unknown"}
    assert list(found["certbot"].values()) == ["ok"]
    assert "cert-renewal" not in found["certificates"], "certbot has no part in it"
    assert not {"clock", "challenge"} & found["host"].keys()
    assert "wrong" not in {verdict for checks in found.values() for verdict in checks.values()}
    (local.root / CA / "issuer.pem").unlink()
    assert local.doctor()["local-ca"]["local-ca"] == "wrong"


@pytest.mark.parametrize("domain", ["com", "co.uk", "de"])
def test_a_domain_of_others_is_refused(local: World, domain: str) -> None:
    local.edit('ca: "local"\n', f'ca: "local"\n  local-domains: [dev.lan, {domain}]\n')
    with pytest.raises(StackfileError, match=f"names below .{domain} belong to others"):
        local.up()


def test_a_key_that_others_can_read_is_named(local: World) -> None:
    assert local.doctor()["host"]["permissions"] == "ok"
    (local.root / CA / "issuer.pem").chmod(0o644)
    assert local.doctor()["host"]["permissions"] == "wrong"


def test_a_wildcard_is_a_local_name_too(local: World) -> None:
    done(local.add(APP))
    local.edit(f"- {APP}\n", f'- "*.{APP}"\n')
    done(local.up())
    assert local.host.directory.shelf([f"*.{APP}"], local.clock()).stored[f"*.{APP}"].source == Source.LOCAL
    assert set(local.served().values()) == {"real"}
    local.clock.now += timedelta(days=21)
    assert renew(local.root / CA, local.root / "data/certbot/deploy/pairs", local.clock()) == (True, {})
    done(local.up())  # the loop of the real proxy loads it
    assert not local.up().plan
