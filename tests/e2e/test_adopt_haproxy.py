"""A running HAProxy of the tutorial: ``adopt`` reads it and changes nothing; its joined PEM file serves a new stack."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tests.authority import Authority
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, HAPROXY_IMAGE, wait_until

pytestmark = pytest.mark.e2e

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
MAIN = """\
defaults
    mode http   # für alle
    timeout client 5s
    timeout server 5s
    timeout connect 5s
"""
SITE = """\
frontend web
    bind *:80
    bind *:443 ssl crt /srv/certs/
    redirect scheme https if !{ ssl_fc }
    acl shop hdr(host) "$SHOP"
    use_backend shop if shop
"""
SHOP = """\
backend shop
    server one app:8000 check init-addr none
"""


def test_it_serves_on_and_its_certificate_is_taken_to_a_new_stack(new_stack: NewStack) -> None:
    old, new = new_stack(), new_stack()
    name, ca = old.domain("shop"), Authority()
    leaf = ca.leaf(name, begins=datetime.now(UTC).replace(microsecond=0) - timedelta(hours=1))
    joined = old.directory / f"ha/certs/{name}.pem"
    for path, text in {"main.cfg": MAIN, "sites/10-web.cfg": SITE, "sites/20-shop.cfg": SHOP}.items():
        (old.directory / "ha" / path).parent.mkdir(parents=True, exist_ok=True)
        (old.directory / "ha" / path).write_text(text)
    joined.parent.mkdir()
    joined.write_bytes(leaf.pem + ca.middle.pem + leaf.key_pem())
    old.file.write_text(COMPOSE.replace("NAME", name).replace("ADDRESS", old.address))
    old.compose("up", "-d")
    serial = wait_until(lambda: old.serial(name))
    containers, files = old.containers(), old.files()

    said = old.fails(2, "adopt", "--yes", "--force").stderr
    assert "the service edge runs HAProxy" in said
    assert f"{name} -> app:8000 (check init-addr none) (ha/sites/10-web.cfg:6)" in said
    assert "ha/main.cfg:3: 'timeout client 5s'" in said
    assert "ha/sites/10-web.cfg:4: 'redirect scheme https if !{ ssl_fc }': each site redirects" in said
    assert (old.containers(), old.files(), old.serial(name)) == (containers, files, serial)

    new.init("--proxy", "haproxy", nginx=HAPROXY_IMAGE)
    new.ok("add-app", name, "--image", APP_IMAGE, "--port", "8000", "--no-issue")
    new.ok("cert", "import", name, "--cert", joined)
    assert new.serial(name) == serial
    assert new.http(name).headers["Location"] == f"https://{name}/"
    new.ok("plan", "--check")
