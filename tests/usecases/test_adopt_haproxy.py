"""``adopt`` of a stack whose proxy is HAProxy stops, with what it serves."""

from __future__ import annotations

import pytest

from stackctl.errors import ExitCode, InputError
from tests.usecases.test_adopt import look, write
from tests.usecases.world import World

COMPOSE = """\
services:
  edge:
    image: IMAGE
    ports: ["80:80", "443:443"]
    volumes: ["./ha:MOUNT"]
    environment: {SHOP: shop.example.com}
  shop:
    image: shop:1
"""
CONF = """\
defaults
  mode http
frontend web
  bind :443 ssl crt /certs/
  acl shop hdr(host) "$SHOP"
  use_backend shop if shop
  http-response set-header X-A b
backend shop
  server one shop:8000 check
"""


@pytest.mark.parametrize(
    ("image", "mount"),
    [("haproxy:3.2", "/usr/local/etc/haproxy"), ("haproxytech/haproxy-alpine", "/etc/haproxy"),
     ("mine:1", "/etc/haproxy")],
)  # fmt: skip
@pytest.mark.parametrize("running", [True, False])
def test_it_stops_with_what_is_served(world: World, image: str, mount: str, running: bool) -> None:
    write(world, "docker-compose.yml", COMPOSE.replace("IMAGE", image).replace("MOUNT", mount))
    write(world, "ha/haproxy.cfg", CONF)
    world.fake.looks.files[image] = {f"{mount}/haproxy.cfg": CONF.encode()}
    world.fake.images |= {image: (), "shop:1": ()}
    if running:
        world.fake.up([])
    before = world.tree()
    with pytest.raises(InputError, match="the service edge runs HAProxy, which adopt does not take over") as error:
        look(world)
    hint = error.value.hint or ""
    assert "shop.example.com -> shop:8000 (check) (ha/haproxy.cfg:6)" in hint
    assert "ha/haproxy.cfg:7: 'http-response set-header X-A b'" in hint
    assert error.value.code is ExitCode.INPUT
    assert world.tree() == before


@pytest.mark.parametrize(
    ("conf", "cause"),
    [(CONF.replace("if shop", "if nobody"), "ha/haproxy.cfg:6: there is no ACL 'nobody'"),
     (None, "none of /usr/local/etc/haproxy/haproxy.cfg")],
)  # fmt: skip
def test_a_configuration_that_cannot_be_read_is_named(world: World, conf: str | None, cause: str) -> None:
    compose = COMPOSE.replace("IMAGE", "haproxy:3.2").replace("MOUNT", "/usr/local/etc/haproxy")
    write(world, "docker-compose.yml", compose)
    if conf is not None:
        write(world, "ha/haproxy.cfg", conf)
    with pytest.raises(InputError, match="runs HAProxy") as error:
        look(world)
    assert f"its configuration cannot be read: {cause}" in (error.value.hint or "")
