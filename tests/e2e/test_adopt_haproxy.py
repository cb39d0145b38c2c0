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
    depends_on: [shop, api, blog]
    environment: {{SHOP: shop.NAME}}
    entrypoint: [haproxy, -W, -db, -f, /etc/haproxy/main.cfg, -f, /etc/haproxy/sites]
    ports: ["ADDRESS:80:80", "ADDRESS:443:443", "ADDRESS:8404:8404"]
    volumes: ["./ha:/etc/haproxy:ro"]
  shop: {{image: {APP_IMAGE}, environment: {{APP_NAME: shop}}}}
  api: {{image: {APP_IMAGE}, environment: {{APP_NAME: api}}}}
  blog: {{image: {APP_IMAGE}, environment: {{APP_NAME: blog}}}}
"""
FILES = {
    "main.cfg": """\
global
    crt-base /etc/haproxy/tls
defaults
    mode http   # für alle
    timeout client 50000
    timeout server 50000
    timeout connect 5s
    errorfile 503 /etc/haproxy/errors/503.http
userlist staff
    user ann insecure-password secret
""",
    "sites/10-web.cfg": """\
frontend plain
    bind *:80
    acl acme path_beg -i /.well-known/acme-challenge/
    http-request redirect scheme https code 301 if !acme !{ hdr(host) -i plain.NAME }
    use_backend blog
frontend tls
    bind *:443 ssl crt-list /etc/haproxy/crt.list
    acl bad src -f /etc/haproxy/bad.lst
    http-request deny if bad
    http-request auth realm staff if { path_beg /admin } !{ http_auth(staff) }
    http-response set-header X-Only-Tls yes
    acl many hdr_cnt(cookie) gt 0
    use_backend api if { hdr(host) "$SHOP" } { path_beg /api/ }
    use_backend api if { hdr(host) "$SHOP" } { path_reg ^/v[0-9]+/ } METH_GET
    use_backend blog if { hdr(host) "$SHOP" } many
    use_backend %[req.hdr(host),lower,map(/etc/haproxy/hosts.map,blog)]
""",
    "sites/20-back.cfg": """\
backend shop
    balance leastconn
    cookie SRV insert indirect nocache
    option httpchk GET /healthz
    server one shop:8000 check cookie a
    server two 192.0.2.1:8000 backup check cookie b
backend api
    http-request set-header X-Old-Path %[path]
    http-request set-path /
    server one api:8000 maxconn 20
backend blog
    http-request set-header X-From blog
    server one blog:8000 check inter 2s
listen stats
    bind *:8404
    stats enable
    stats uri /
""",
    "errors/503.http": "HTTP/1.0 503 Down\r\nContent-Type: text/plain\r\n\r\nours is down\n",
    "bad.lst": "192.0.2.0/24\n",
    "hosts.map": "shop.NAME shop\nblog.NAME blog\n",
    "crt.list": "shop.NAME.pem\n",
}


def test_several_files_and_a_certificate_of_another_ca(new_stack: NewStack) -> None:
    old = new_stack()
    shop, blog, plain = (old.domain(label) for label in ("shop", "blog", "plain"))
    name, ca = shop.removeprefix("shop."), Authority()
    leaf = ca.leaf(shop, blog, begins=datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1))
    for path, text in FILES.items():
        (old.directory / "ha" / path).parent.mkdir(parents=True, exist_ok=True)
        (old.directory / "ha" / path).write_text(text.replace("NAME", name))
    (old.directory / "ha/tls").mkdir()
    (old.directory / f"ha/tls/{shop}.pem").write_bytes(leaf.pem + ca.middle.pem + leaf.key_pem())
    old.file.write_text(COMPOSE.replace("shop.NAME", shop).replace("ADDRESS", old.address))
    old.compose("up", "-d")
    asked: list[tuple[str, str, dict[str, str]]] = [
        *((shop, path, {}) for path in ("/api/x", "/v1/x", "/")),
        *((blog, path, {}) for path in ("/", "/admin")),
        (shop, "/", {"Cookie": "a=b"}),
    ]

    def answers() -> list[tuple[int, str | None, dict[str, str | None], str | None]]:
        found = []
        for host, path, headers in asked:
            reply = old.https(host, path, headers=headers, trust=False)
            told = reply.json() if reply.status == 200 else {}
            kept = {key: told.get("headers", {}).get(key) for key in ("x-from", "x-old-path")}
            found.append((reply.status, told.get("app"), kept, reply.headers["X-Only-Tls"]))
        return found

    serial = wait_until(lambda: old.https(shop, trust=False).status == 200 and old.serial(shop), 5)
    before, answered = digests(old), answers()

    said = old.ok("adopt", "--yes", "--force", "--certbot-image", CERTBOT_IMAGE).stdout

    assert f"{shop} -> shop:8000, 192.0.2.1:8000" in said
    assert "answers of the old proxy and the new one to" in said
    assert "not compared" not in said
    assert answers() == answered
    assert [app for _, app, _, _ in answered] == ["api", "api", "shop", "blog", None, "blog"]
    assert {old.serial(shop), old.serial(blog)} == {serial}
    assert old.http(plain).json()["app"] == "blog"
    assert old.http(shop).status == 301
    assert "nothing to do" in old.ok("up", "--no-issue").stdout
    old.ok("rollback")
    assert {path: digests(old).get(path) for path in before} == before
    assert old.serial(shop) == serial
