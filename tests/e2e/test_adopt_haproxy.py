"""``adopt`` of the HAProxy of document 000, in containers, while a client asks all along."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.authority import Authority
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, CERTBOT_IMAGE, HAPROXY_IMAGE, Stack, wait_until
from tests.e2e.old_ways import build_haproxy
from tests.e2e.test_adopt import Adopted, client_of, digests, images, lost_at_most, orders

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def seed(new_stack: NewStack) -> Adopted:
    """The stack of document 000, taken over under a steady client."""
    stack = new_stack()
    name = build_haproxy(stack)
    serial, before, made, apps = stack.serial(name), digests(stack), images(stack), stack.containers()
    shown = stack.ok("adopt")
    assert "nothing was changed" in shown.stdout
    assert digests(stack) == before
    with client_of(stack, name) as client:
        said = stack.ok("adopt", "--yes", "--force").stdout
    return Adopted(stack, name, "", serial, before, made, apps, said, lost_at_most(client, said))


def kept(stack: Stack, name: str) -> list[str]:
    return (stack.directory / "haproxy/custom" / name).read_text().splitlines()[1:]


def test_the_certificate_and_the_answers_are_the_same(seed: Adopted) -> None:
    stack = seed.stack
    assert stack.serial(seed.one) == seed.serial
    assert orders(stack) == []
    assert stack.trusted(seed.one)
    asked = stack.https(seed.one).json()
    assert asked["app"] == "chat"
    assert asked["headers"]["x-client-ip"]
    assert stack.http(seed.one).headers["Location"] == f"https://{seed.one}/"
    assert 0 < seed.gap < 60_000
    assert stack.container("chat") == seed.apps["chat"]


def test_what_has_no_key_is_kept_and_the_old_renewal_is_named(seed: Adopted) -> None:
    stack = seed.stack
    assert "    http-request add-header X-CLIENT-IP %[src]" in kept(stack, f"{seed.one}.cfg")
    assert "    timeout client 10m" in kept(stack, "frontend.cfg")
    text = stack.file.read_text()
    assert 'proxy: "haproxy"' in text
    assert 'read-timeout: "10m"' in text
    assert "/etc/haproxy/certs" not in text
    assert "renew.sh:3: the script 'docker compose exec -T certbot certbot renew" in seed.said
    assert f"is the certificate of certbot's {seed.one}" in seed.said


def test_all_is_as_stackctl_wants_it(seed: Adopted) -> None:
    stack = seed.stack
    before = stack.files(), stack.containers()
    assert "nothing to do" in stack.ok("up", "--no-issue").stdout
    assert "nothing to adopt" in stack.ok("adopt").stdout
    assert (stack.files(), stack.containers()) == before


def test_it_renews_from_now_on(seed: Adopted) -> None:
    assert "renewed" in seed.stack.ok("renew", "--force", seed.one).stdout
    assert seed.stack.serial(seed.one) != seed.serial


def test_it_is_given_back(seed: Adopted) -> None:
    stack = seed.stack
    with client_of(stack, seed.one) as client:
        said = stack.ok("rollback").stdout
    lost_at_most(client, said)
    after = digests(stack)
    assert {name: after.get(name) for name in seed.before} == seed.before
    assert images(stack) == seed.made
    assert stack.serial(seed.one) == seed.serial
    assert stack.https(seed.one).json()["app"] == "chat"


COMPOSE = f"""\
services:
  edge:
    image: {HAPROXY_IMAGE}
    user: "0"
    environment: {{SHOP: NAME}}
    entrypoint: [haproxy, -W, -db, -f, /srv/main.cfg, -f, /srv/sites]
    ports: ["ADDRESS:80:80", "ADDRESS:443:443"]
    volumes: ["./ha:/srv:ro"]
  app:
    image: {APP_IMAGE}
"""
FILES = {
    "main.cfg": """\
defaults
    mode http   # für alle
    timeout client 5s
    timeout server 5s
    timeout connect 5s
""",
    "sites/10-web.cfg": """\
frontend web
    bind *:80
    bind *:443 ssl crt /srv/certs/
    redirect scheme https code 301 if !{ ssl_fc }
    acl shop hdr(host) "$SHOP"
    use_backend shop if shop
""",
    "sites/20-shop.cfg": """\
backend shop
    balance leastconn
    http-request set-header X-Shop "%[var(txn.host)]"
    server one app:8000 check init-addr none
    server two 192.0.2.1:8000 backup check init-addr none
""",
}


def test_several_files_and_a_certificate_of_another_ca(new_stack: NewStack) -> None:
    old = new_stack()
    name, ca = old.domain("shop"), Authority()
    leaf = ca.leaf(name, begins=datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1))
    for path, text in FILES.items():
        (old.directory / "ha" / path).parent.mkdir(parents=True, exist_ok=True)
        (old.directory / "ha" / path).write_text(text)
    (old.directory / "ha/certs").mkdir()
    (old.directory / f"ha/certs/{name}.pem").write_bytes(leaf.pem + ca.middle.pem + leaf.key_pem())
    old.file.write_text(COMPOSE.replace("NAME", name).replace("ADDRESS", old.address))
    old.compose("up", "-d")
    serial = wait_until(lambda: old.serial(name))
    before = digests(old)

    said = old.ok("adopt", "--yes", "--no-compare", "--certbot-image", CERTBOT_IMAGE).stdout

    assert f"{name} -> app:8000, 192.0.2.1:8000" in said
    assert old.serial(name) == serial
    assert old.https(name, trust=False).json()["headers"]["x-shop"] == name
    text = old.file.read_text()
    assert f'certificate: {{file: "ha/certs/{name}.pem", fallback: acme}}' in text
    assert 'balance: "least-conn"' in text
    assert "nothing to do" in old.ok("up", "--no-issue").stdout
    old.ok("rollback")
    assert {path: digests(old).get(path) for path in before} == before
    assert old.serial(name) == serial
