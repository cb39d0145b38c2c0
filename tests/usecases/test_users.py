"""``user add|remove|list``: the file is written whole, published, and part of the history; rules are explained."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from stackctl.diagnose.hops import HopKind
from stackctl.errors import InputError, StackctlError, StackfileError
from stackctl.model.fields import Request
from stackctl.model.users import read_users
from stackctl.model.values import Domain
from stackctl.usecases.converge import load_current
from stackctl.usecases.explain import explain
from stackctl.usecases.unreadable import unreadable_files
from stackctl.usecases.users import add_user, list_users, remove_user
from tests.usecases.world import World, done

SITE = Domain("one.example.com")
KEYS = "      access: {users: secrets/one.htpasswd}\n"


@pytest.fixture
def asking(site: World) -> World:
    """A site that asks for passwords, with one user."""
    site.edit("      port: 8000\n", f"      port: 8000\n{KEYS}")
    done(add_user(site.host, SITE, "ann", "a long password"))
    return site


def file(world: World) -> Path:
    return world.root / "secrets/one.htpasswd"


def test_a_site_without_its_file_is_refused_and_the_old_one_stays(site: World) -> None:
    before = site.live()
    site.edit("      port: 8000\n", f"      port: 8000\n{KEYS}")
    with pytest.raises(StackfileError, match="there is no file") as caught:
        site.up()
    assert "user add" in str(caught.value.hint)
    file(site).parent.mkdir()
    file(site).write_bytes(b"# nobody yet\n")
    with pytest.raises(StackfileError, match="has no user"):
        site.up()
    file(site).write_bytes(b"ann:$2y$12$" + b"a" * 53 + b"\n")
    with pytest.raises(StackfileError, match="850 ms"):
        site.up()
    assert site.live() == before


def test_a_user_is_written_for_the_owner_alone_and_published(asking: World) -> None:
    assert file(asking).stat().st_mode & 0o777 == 0o600
    live = asking.live()
    (copy,) = (path for path in live if path.startswith("users/"))
    assert live[copy] == file(asking).read_bytes()
    real = next((asking.root / "nginx/live/users").iterdir())
    assert real.stat().st_mode & 0o777 == 0o600
    conf = live["sites/one.example.com.conf"].decode()
    assert f"auth_basic_user_file /run/stackctl/{copy};" in conf
    assert not asking.up().plan


def test_comments_stay_and_the_last_user_cannot_be_removed(asking: World) -> None:
    file(asking).write_bytes(b"# team\n" + file(asking).read_bytes())
    done(add_user(asking.host, SITE, "ben", "another password"))
    done(remove_user(asking.host, SITE, "ann"))
    assert file(asking).read_bytes().startswith(b"# team\nben:$apr1$")
    with pytest.raises(InputError, match="the last user"):
        remove_user(asking.host, SITE, "ben")
    with pytest.raises(InputError, match="has no user ann"):
        remove_user(asking.host, SITE, "ann")
    assert [one.name for one in list_users(asking.host, SITE).payload.users] == ["ben"]


def test_a_dry_run_shows_no_hash_and_writes_nothing(asking: World) -> None:
    before = file(asking).read_bytes()
    result = add_user(asking.host, SITE, "ben", "another password", dry_run=True)
    assert "write secrets/one.htpasswd" in [operation.text for operation in result.plan.operations]
    assert file(asking).read_bytes() == before


def test_the_users_go_back_with_the_rest(asking: World) -> None:
    before = file(asking).read_bytes()
    done(add_user(asking.host, SITE, "ben", "another password"))
    done(asking.rollback())
    assert file(asking).read_bytes() == before
    file(asking).unlink()
    done(asking.rollback())
    assert [row.name for row in read_users(file(asking).read_bytes())] == ["ann", "ben"]
    assert file(asking).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", ["two.example.com", "one.example.com"])
def test_a_site_that_asks_for_none_says_what_to_write(site: World, name: str) -> None:
    with pytest.raises(StackctlError) as caught:
        add_user(site.host, Domain(name), "ann", "a long password")
    assert "add" in str(caught.value.hint)


def test_explain_names_the_rule_that_refuses_a_client_and_its_line(site: World) -> None:
    rules = "      access:\n        allow: [192.0.2.0/24]\n        deny: [192.0.2.9]\n        skip: [/healthz]\n"
    site.edit("      port: 8000\n", f"      port: 8000\n{rules}")
    done(site.up())
    line = site.text.splitlines().index("        allow: [192.0.2.0/24]") + 1

    def hop(address: str, target: str = "/") -> tuple[str, str, str | None]:
        request = Request("GET", target, (), ip_address(address))
        (found,) = (one for one in explain(site.host, SITE, request).payload.hops if one.kind is HopKind.ACCESS)
        return found.verdict.value, found.text, found.where

    where = f"docker-compose.yml:{line}"
    refused = "the proxy answers 403: 203.0.113.9 is not in 'allow'"
    assert hop("203.0.113.9") == hop("203.0.113.9", "/healthz/../x") == ("wrong", refused, where)
    assert hop("192.0.2.1") == ("ok", "the address is in 'allow'", None)
    assert hop("203.0.113.9", "/healthz")[0] == "ok"
    assert hop("192.0.2.9", "/healthz")[2] == f"docker-compose.yml:{line + 1}"


@pytest.mark.parametrize("content", [b"", b"no pem", b"-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n"])
def test_a_file_that_is_no_certificate_is_refused_by_its_line(site: World, content: bytes) -> None:
    (site.root / "clients.pem").write_bytes(content)
    site.edit("      port: 8000\n", "      port: 8000\n      client-certificate: {ca: clients.pem}\n")
    with pytest.raises(StackfileError, match="no certificate") as caught:
        site.up()
    assert str(caught.value.where).startswith("docker-compose.yml:")


def test_a_list_of_revoked_certificates_that_expires_is_seen_in_time_and_stops_no_change(site: World) -> None:
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "clients")])
    now = site.clock()
    revoked = x509.CertificateRevocationListBuilder(name, now, now + timedelta(days=30)).sign(key, hashes.SHA256())
    ca = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + timedelta(days=3650))
    (site.root / "ca.pem").write_bytes(ca.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM))
    (site.root / "ca.crl").write_bytes(revoked.public_bytes(Encoding.PEM))
    site.edit("      port: 8000\n", "      port: 8000\n      client-certificate: {ca: ca.pem, crl: ca.crl}\n")
    assert done(site.up()).notes == ()
    assert site.doctor()["host"]["client-files"] == "ok"
    site.clock.now += timedelta(days=20)
    assert site.doctor()["host"]["client-files"] == "wrong"
    site.clock.now += timedelta(days=20)
    done(site.add("two.example.com"))
    (note,) = site.up().notes
    assert re.fullmatch(r"docker-compose\.yml:\d+: ca\.crl expired on \d{4}-\d\d-\d\d: no client gets in", note)


def test_hashes_that_others_can_read_are_found_with_the_mode_to_set(asking: World) -> None:
    assert unreadable_files(asking.host, load_current(asking.host).stack) == ()
    file(asking).chmod(0o644)
    (found,) = unreadable_files(asking.host, load_current(asking.host).stack)
    assert (found.path, found.mode, found.wanted) == ("secrets/one.htpasswd", 0o644, 0o600)
