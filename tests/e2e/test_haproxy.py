"""HAProxy as the proxy of a stack: the same file, certificates and promises as with nginx."""

from __future__ import annotations

import re
import shutil

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import (
    APP_IMAGE,
    ECDSA,
    HAPROXY_IMAGE,
    NGINX_IMAGE,
    RSA,
    Stack,
    certbot,
    docker,
    engine,
    wait_until,
)
from tests.e2e.load import load

pytestmark = pytest.mark.e2e

SERVICES = f"""
  shop:
    image: {APP_IMAGE}
    environment: {{APP_NAME: v1, BOOT: "0", WARM: "0"}}
    stop_grace_period: 1s
    x-stackctl:
      domains: [SHOP, WWW]
      canonical: SHOP
      port: 8000
      health: {{path: /healthz}}
      routes:
        - {{path: /secret, deny: all}}
        - {{path: /robots.txt, answer: {{text: "User-agent: *"}}}}
        - {{match: {{header: {{x-beta: "1"}}}}, answer: {{text: beta}}}}
        - {{path: /api, strip: true, service: other, port: 8000}}
  other:
    image: {APP_IMAGE}
    environment: {{APP_NAME: other}}
    x-stackctl: {{domains: [OTHER], port: 8000}}
"""


@pytest.fixture(scope="module")
def stack(new_stack: NewStack) -> Stack:
    """A stack with HAProxy and two apps, for all tests of this module, which run in order."""
    made = new_stack()
    made.init("--proxy", "haproxy", nginx=HAPROXY_IMAGE)
    names = {label: made.domain(label) for label in ("shop", "www", "other")}
    made.add_dns(*names.values())
    services = SERVICES
    for label, name in names.items():
        services = services.replace(label.upper(), name)
    text = made.file.read_text().replace("\nservices:\n", f"\nservices:{services}")
    made.file.write_text(text.replace("  haproxy:\n", '  haproxy:\n    environment: {RELOAD_CHECK_SECONDS: "1"}\n'))
    made.ok("up")
    return made


def log(stack: Stack) -> str:
    """What the proxy's container said last."""
    return engine().logs(stack.container("haproxy"), tail=400).decode()


def test_requests_go_where_the_file_says(stack: Stack) -> None:
    shop = stack.domain("shop")
    assert stack.https(shop).status == 200
    assert stack.http(shop, "/a?b=%2F").headers["Location"] == f"https://{shop}/a?b=%2F"
    assert stack.http(stack.domain("www"), "/a").headers["Location"] == f"https://{shop}/a"
    assert stack.https(stack.domain("www"), "/a").headers["Location"] == f"https://{shop}/a"
    assert stack.https(shop, "/secret/x").status == 403
    assert stack.https(shop, "/%73ecret//x").status == 403
    assert stack.https(shop, "/robots.txt").body == b"User-agent: *"
    assert stack.https(shop, headers={"X-Beta": "1"}).body == b"beta"
    with pytest.raises(OSError, match=r"closed|reset|without response"):
        stack.http("stranger.example.com")


def test_an_app_gets_the_bytes_of_the_path_and_no_header_of_a_client(stack: Stack) -> None:
    spoofed = {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "ftp", "Remote-User": "root", "Forwarded": "for=6"}
    seen = stack.https(stack.domain("shop"), "/api?x=%2F", headers=spoofed).json()
    headers = {name.lower(): value for name, value in seen["headers"].items()}
    assert headers["x-forwarded-for"] != "6.6.6.6"
    assert headers["x-forwarded-proto"] == "https"
    assert headers["x-forwarded-prefix"] == "/api"
    assert not {"remote-user", "forwarded"} & headers.keys()


def test_every_command_speaks_of_haproxy(stack: Stack) -> None:
    shop = stack.domain("shop")
    assert "nothing to do" in stack.ok("plan").stdout
    assert "no problems found" in stack.ok("doctor").stdout
    assert "haproxy/maps/" in stack.ok("explain", f"{shop}/robots.txt").stdout
    assert f"backend {shop}" in stack.ok("config", shop).stdout
    assert shop in stack.ok("status").stdout
    assert '"GET / HTTP/1.1" 200' in stack.ok("logs", shop).stdout


def test_a_renewal_without_stackctl_is_served_and_costs_no_request(stack: Stack) -> None:
    shop = stack.domain("shop")
    before = stack.serial(shop)
    with load(stack, shop) as seen:
        certbot(
            stack.container("certbot"), "renew", "--cert-name", shop, "--force-renewal", "--no-random-sleep-on-renew"
        )
        wait_until(lambda: stack.serial(shop) != before, what="HAProxy serves the renewed certificate")
    assert seen.served
    assert not seen.lost


def test_a_deploy_costs_no_request(stack: Stack) -> None:
    stack.edit("APP_NAME: v1", "APP_NAME: v2")
    with load(stack, stack.domain("shop")) as seen:
        stack.ok("up")
    assert seen.served
    assert not seen.lost
    assert "nothing to do" in stack.ok("plan").stdout


def test_a_mistake_in_a_users_file_is_named_and_the_others_go_live(stack: Stack) -> None:
    other = stack.domain("other")
    custom = stack.directory / "haproxy/custom" / f"{other}.cfg"
    custom.write_text("http-request set-header X-Own yes\nnot_a_keyword\n")
    stack.edit('text: "User-agent: *"', 'text: "Disallow:"')
    said = stack.run("up")
    assert said.returncode not in {0, 1}
    assert f"haproxy/custom/{other}.cfg:2" in said.stdout + said.stderr
    assert stack.https(stack.domain("shop"), "/robots.txt").body == b"Disallow:"
    assert stack.https(other).status == 200
    custom.write_text("http-response set-header X-Own yes")
    stack.ok("up")
    assert stack.https(other).headers["X-Own"] == "yes"


def test_a_lost_pair_stops_its_own_site_only(stack: Stack) -> None:
    shop, other = stack.domain("shop"), stack.domain("other")
    pairs = stack.directory / "data/certbot/deploy/pairs/lineages"
    kept = pairs.parent / "kept"
    (pairs / other).rename(kept)
    try:
        stack.compose("restart", "haproxy")
        wait_until(lambda: stack.https(shop).status == 200, what="the other site is served")
        assert f"stackctl: {other} is left out" in log(stack)
    finally:
        kept.rename(pairs / other)
    docker("kill", "--signal", "HUP", stack.container("haproxy"))
    wait_until(lambda: stack.https(other).status == 200, what="it is served again")


def test_a_key_that_haproxy_has_not_is_refused_by_its_line(stack: Stack) -> None:
    text = stack.file.read_text()
    stack.edit("APP_NAME: other}\n    x-stackctl: {", "APP_NAME: other}\n    x-stackctl: {buffering: true, ")
    said = stack.fails(3, "plan").stderr
    stack.file.write_text(text)
    line = next(number for number, one in enumerate(text.splitlines(), 1) if stack.domain("other") in one)
    assert f"docker-compose.yml:{line}" in said
    assert "'proxy: haproxy' cannot be used with the key 'buffering'" in said


def test_both_keys_are_served_each_to_its_clients(stack: Stack) -> None:
    name = stack.domain("other")
    stack.ok("set", name, "key-type=[ecdsa, rsa]")
    assert isinstance(stack.certificate_for(name, ECDSA).public_key(), ec.EllipticCurvePublicKey)
    assert isinstance(stack.certificate_for(name, RSA).public_key(), rsa.RSAPublicKey)
    assert "nothing to do" in stack.ok("plan").stdout
    stack.ok("unset", name, "key-type")
    assert isinstance(stack.certificate(name).public_key(), ec.EllipticCurvePublicKey)


def test_a_switch_to_nginx_and_back_keeps_the_certificates(stack: Stack) -> None:
    names = [stack.domain("shop"), stack.domain("other")]
    before = [stack.serial(name) for name in names]
    shutil.rmtree(stack.directory / "haproxy/custom")
    (stack.directory / "haproxy/custom").mkdir()
    for old, new, image, was in (
        ("haproxy", "nginx", NGINX_IMAGE, HAPROXY_IMAGE),
        ("nginx", "haproxy", HAPROXY_IMAGE, NGINX_IMAGE),
    ):
        stack.edit(f"proxy: {old}", f"proxy: {new}")
        stack.edit(was, image)
        said = stack.ok("up").stdout
        assert re.search(r"its ports were closed for \d+ ms", said)
        assert [stack.serial(name) for name in names] == before
        assert stack.https(names[0], "/secret").status == 403
        assert "nothing to do" in stack.ok("plan").stdout


def test_a_removed_app_is_refused_and_comes_back_by_a_rollback(stack: Stack) -> None:
    other = stack.domain("other")
    stack.ok("remove-app", other, "--yes")
    with pytest.raises(OSError, match=r"."):
        stack.https(other)
    stack.ok("rollback")
    assert stack.https(other).status == 200
