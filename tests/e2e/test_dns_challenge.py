"""DNS-01 against BIND with a narrow update policy, a secondary that is late, and a CA that asks these servers."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import pytest

from tests.e2e.helpers import APP_IMAGE, ECDSA, RSA, Stack, certbot, inspect, sans, wait_until
from tests.e2e.nameservers import KEY, NameServers, Zone, name_servers
from tests.faults.authority import Authority, authority
from tests.faults.bed import Run, bare

pytestmark = pytest.mark.e2e

CERTBOT = "stackctl-lab/certbot-dns:latest"
ZONES = {
    "example.test": Zone(
        grants=f"deny {KEY} name _acme-challenge.denied.example.test. TXT; grant {KEY} wildcard *.example.test. TXT;"
    ),
    "late.test": Zone(grants=f"grant {KEY} wildcard *.late.test. TXT;", notify=False, refresh=2),
    "stuck.test": Zone(grants=f"grant {KEY} wildcard *.stuck.test. TXT;", notify=False),
    "lame.test": Zone(grants=f"grant {KEY} wildcard *.lame.test. TXT;", secondary=False, own=("ns1",)),
    "other.test": Zone(records="_acme-challenge.app IN CNAME app.acme.example.test.\n"),
}
OVERRIDE = """\
services:
  certbot:
    networks: [default, names]
    environment:
      STACKCTL_RESOLVER: "{resolver}"
networks:
  names: {{external: true, name: {network}}}
"""


LINEAGE = "_wildcard.example.test"
_SHARED = "      provider: rfc2136\n      credentials: data/dns/example.test.ini\n"
MORE_ZONES = (
    f"  dns:\n    late.test:\n{_SHARED}    lame.test:\n{_SHARED}    nowhere.test:\n{_SHARED}"
    f"    stuck.test:\n{_SHARED}      propagation: 2s\n    other.test:\n{_SHARED}      alias: app.acme.example.test\n"
)
DELEGATED = f"""\
services:
  delegated:
    image: {APP_IMAGE}
    x-stackctl:
      domains: [app.other.test]
      port: 8000
      challenge: dns
"""


@pytest.fixture(scope="module")
def servers() -> Iterator[NameServers]:
    with name_servers(ZONES) as made:
        yield made


@pytest.fixture(scope="module")
def ca(servers: NameServers) -> Iterator[Authority]:
    with authority(server=f"{servers.resolver}:53") as made:
        yield made


@pytest.fixture(scope="module")
def stack(ca: Authority, servers: NameServers) -> Iterator[Stack]:
    """A stack with the zones; its certbot is in the network of the name servers, and its names resolve nowhere."""
    with bare(Run(ca, [])) as bed:
        made = bed.stack
        made.init(certbot=CERTBOT)
        text = OVERRIDE.format(resolver=servers.resolver, network=servers.network)
        (made.directory / "docker-compose.override.yml").write_text(text)
        add_zone(made, servers, "example.test")
        made.edit("  dns:\n", MORE_ZONES)
        yield made


def add_zone(stack: Stack, servers: NameServers, zone: str) -> None:
    """Answer the questions of ``dns add``, one in each line."""
    lines = [servers.addresses["ns1"], "", KEY, "", servers.secret]
    done = stack.run_with("\n".join(lines) + "\n", "dns", "add", zone, "--provider", "rfc2136")
    assert done.returncode == 0, done.stdout + done.stderr


def findings(stack: Stack, *names: str, code: int = 0) -> dict[str, dict[str, str]]:
    """The rows of ``dns test``, by step."""
    done = stack.fails(code, "dns", "test", *names, "--output", "json")
    return {row["step"]: row for row in json.loads(done.stdout)["findings"]}


def app(stack: Stack, name: str, *more: str, code: int = 0) -> str:
    return stack.fails(code, "add-app", name, "--image", APP_IMAGE, *more).stderr


def test_a_wildcard_with_its_apex_is_issued_and_the_sites_under_it_use_it(stack: Stack, servers: NameServers) -> None:
    app(stack, "*.example.test", "--alias", "example.test")
    assert stack.lineages() == ["_wildcard.example.test"]
    assert sans(stack.certificate("any.example.test")) == {"*.example.test", "example.test"}
    assert stack.trusted("any.example.test")
    assert stack.trusted("example.test")
    assert stack.http("any.example.test").headers["Location"] == "https://any.example.test/"
    app(stack, "exact.example.test")
    assert stack.lineages() == ["_wildcard.example.test"]
    assert stack.serial("exact.example.test") == stack.serial("any.example.test")
    assert stack.https("exact.example.test").json()["app"] != stack.https("any.example.test").json()["app"]
    stack.ok("remove-app", "exact.example.test", "--yes")
    assert stack.trusted("exact.example.test")
    state = stack.state()
    stack.ok("up")
    assert stack.state() == state
    holding = [path for path in stack.directory.rglob("*") if path.is_file() and path.name != ".certbot.lock"]
    secret = servers.secret.encode()
    assert {path.parent.name for path in holding if secret in path.read_bytes()} == {"dns"}
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in holding if path.suffix == ".ini")


def test_a_secondary_that_is_late_is_waited_for_and_one_that_never_comes_costs_no_order(stack: Stack) -> None:
    app(stack, "*.late.test")
    assert stack.trusted("x.late.test")
    refused = app(stack, "*.stuck.test", code=7)
    assert "not requested: 1 of 2 servers still answers the old value: ns2.example.test" in refused
    stack.ok("remove-app", "*.stuck.test", "--yes")


def test_a_lame_server_and_a_wrong_delegation_are_told_and_the_order_is_placed(stack: Stack) -> None:
    app(stack, "*.lame.test")
    assert stack.trusted("x.lame.test")
    rows = findings(stack, "lame.test")
    assert rows["delegation"]["text"].endswith("differ from the zone's: only at the parent: ns2.example.test")
    assert "REFUSED" in rows["servers"]["text"]
    done = stack.run("doctor", "*.lame.test", "--output", "json")
    wrong = [row for part in json.loads(done.stdout)["sections"] for row in part["checks"] if row["verdict"] == "wrong"]
    assert {"dns-delegation", "dns-servers"} <= {row["name"] for row in wrong}


def test_a_delegated_record_is_followed_and_a_missing_one_is_printed(stack: Stack) -> None:
    stack.edit("services:\n", DELEGATED)
    stack.ok("up")
    assert stack.trusted("app.other.test")
    row = findings(stack, "b.other.test", code=1)["zone"]
    assert row["todo"] == "set the record: _acme-challenge.b.other.test. CNAME app.acme.example.test."


def test_both_keys_of_a_wildcard_are_issued(stack: Stack) -> None:
    stack.ok("set", "*.example.test", "key-type=[ecdsa, rsa]")
    assert f"{LINEAGE}_rsa" in stack.lineages()
    found = [stack.certificate_for("x.example.test", signatures) for signatures in (ECDSA, RSA)]
    assert [type(one.public_key()).__name__ for one in found] == ["ECPublicKey", "RSAPublicKey"]
    assert all(sans(one) == {"*.example.test", "example.test"} for one in found)


def test_each_wrong_credential_is_named_before_an_order(stack: Stack, servers: NameServers) -> None:
    denied = findings(stack, "denied.example.test", code=1)["write"]["text"]
    assert "the token may not edit the zone example.test" in denied
    assert findings(stack, "nowhere.test", code=1)["zone"]["text"]
    file = stack.directory / "data/dns/example.test.ini"
    right = file.read_text()
    file.write_text(right.replace(servers.secret, base64.b64encode(b"another secret of this length").decode()))
    assert "does not accept the credentials" in findings(stack, "lame.test", code=1)["write"]["text"]
    file.write_text(right)


def test_it_renews_by_itself_and_a_revoked_token_is_reported_by_the_loop(stack: Stack, servers: NameServers) -> None:
    serial = stack.serial("x.example.test")
    container = stack.container("certbot")
    certbot(container, "renew", "--no-random-sleep-on-renew", "--force-renewal", "--cert-name", LINEAGE)
    stack.ok("up")
    assert stack.serial("x.example.test") != serial
    servers.revoke()
    renewal = stack.directory / "data/certbot/conf/renewal/_wildcard.example.test.conf"
    renewal.write_text("renew_before_expiry = 100 days\n" + renewal.read_text())
    stack.compose("restart", "--timeout", "1", "certbot")
    failed = stack.directory / "data/certbot/deploy/failed"
    wait_until(failed.is_file, 60, "the loop records its failure")
    done = stack.run("doctor", "--output", "json")
    rows = [row for part in json.loads(done.stdout)["sections"] for row in part["checks"]]
    text = next(row["text"] for row in rows if row["name"] == "renewal-round")
    assert "could not renew *.example.test" in text
    assert "does not accept the credentials" in text
    assert inspect(container)["State"]["Running"]
