"""The paths that nginx-proxy's variables give to other services become routes, where they only pass requests on."""

from __future__ import annotations

import pytest

from stackctl.adapters.fakes.compose import resolve_project
from stackctl.adopt.nginx_conf import NginxConf, read_conf
from stackctl.adopt.proposal import Handling
from stackctl.adopt.reading import read_proposal
from stackctl.adopt.virtual_paths import Routes, generated_routes
from stackctl.proxies.nginx.reader import parse

PROJECT = """\
services:
  shop: {image: shop, environment: {VIRTUAL_HOST: "a.example.com,www.a.example.com"}}
  api:
    image: api
    environment: {VIRTUAL_HOST: "a.example.com,www.a.example.com", VIRTUAL_PATH: /api/%s}
"""
SERVER = """
server {
    listen 80;
    server_name %s;
    location / { proxy_pass http://shop:80; }
    %s
}
"""


def routes_of(location: str, more: str = "", *, names: str = "a.example.com www.a.example.com") -> Routes:
    return read(SERVER % (names, location), more)[1]


def read(text: str, more: str = "") -> tuple[NginxConf, Routes]:
    conf = read_conf(parse(f"upstream g {{ server api:9000; keepalive 2; }} {text}".encode(), "x.conf"))
    return generated_routes(conf, resolve_project(PROJECT % more, "f", "demo"), lambda _: 3000)


@pytest.mark.parametrize(
    ("location", "more", "expected"),
    [
        ("location /api/ { proxy_pass http://g; }", "", ("/api", "api:9000", False)),
        ("location /api/ { proxy_pass http://g/; set $upstream_keepalive true; }", ", VIRTUAL_DEST: /", None),
        ("", "", ("/api", "api:3000", False)),
    ],
)
def test_a_location_that_passes_requests_on_is_a_route(
    location: str, more: str, expected: tuple[str, str, bool] | None
) -> None:
    [route] = routes_of(location, more).routes
    assert (str(route.path), str(route.server), route.strip) == (expected or ("/api", "api:9000", True))
    assert route.domains == ("a.example.com", "www.a.example.com")


@pytest.mark.parametrize(
    ("location", "more"),
    [
        ("location /api/ { proxy_pass http://g; auth_basic private; }", ""),
        ("location /api/ { proxy_pass http://g/v2/; }", ", VIRTUAL_DEST: /v2/"),
        ("location /api/ { proxy_pass http://g/v2/; }", ""),
        ("location /api/ { proxy_pass http://$x; }", ""),
        ("location /api/ { return 503; }", ""),
    ],
)
def test_what_a_route_cannot_say_stays_a_location(location: str, more: str) -> None:
    text = SERVER % ("a.example.com www.a.example.com", location)
    conf, found = read(text, more)
    assert not found.routes
    assert any(one.name == "location" and one.args == ("/api/",) for server in conf.servers for one in server.body)


def test_a_location_that_stays_over_https_is_no_route_over_http() -> None:
    secure = SERVER.replace("listen 80", "listen 443 ssl") % (
        "a.example.com",
        "location /api/ { proxy_pass http://g; auth_basic private; }",
    )
    conf, found = read(SERVER % ("a.example.com", "") + secure)
    assert not found.routes
    assert len(conf.servers) == 2


def test_a_route_is_for_the_names_of_one_site() -> None:
    """nginx-proxy writes a server for each name, and each is a site."""
    servers = "".join(
        SERVER % (name, "location /api/ { proxy_pass http://g; }") for name in ("a.example.com", "www.a.example.com")
    )
    conf, found = read(servers)
    there = resolve_project(PROJECT % "", "f", "demo")
    proposal = found.added(read_proposal(conf, there, {}, resolves=True))
    assert proposal is not None
    assert [(route.domains, str(route.path)) for route in proposal.routes] == [
        (("a.example.com",), "/api"),
        (("www.a.example.com",), "/api"),
    ]


def test_the_location_of_a_server_that_is_kept_stays() -> None:
    text = SERVER % ("a.example.com", "location /api/ { proxy_pass http://g; }")
    conf, found = read(text.replace("listen 80", "listen 8080"))
    there = resolve_project(PROJECT % "", "f", "demo")
    assert found.added(read_proposal(conf, there, {}, resolves=True)) is None


TWICE = """\
services:
  shop: {image: shop, environment: {VIRTUAL_HOST: a.example.com}}
  api: {image: api, environment: {VIRTUAL_HOST: a.example.com, VIRTUAL_PATH: /api/}}
  api2: {image: api, environment: {VIRTUAL_HOST: a.example.com, VIRTUAL_PATH: /api}}
"""


@pytest.mark.parametrize("location", ["location /api/ { proxy_pass http://g; }", ""])
def test_a_path_that_two_services_share_is_no_route(location: str) -> None:
    conf = read_conf(parse(f"upstream g {{ server api:9000; }} {SERVER % ('a.example.com', location)}".encode(), "x"))
    there, found = generated_routes(conf, resolve_project(TWICE, "f", "demo"), lambda _: 3000)
    kept = [one.args for server in there.servers for one in server.body if one.name == "location"]
    assert not found.routes
    assert (("/api/",) in kept) is bool(location)
    lost = [one.text for one in found.remarks if one.handling is Handling.UNSUPPORTED]
    assert len(lost) == (1 if location else 2)
    assert lost[-1] == "a.example.com/api: a second service has this path, but a route leads to one service"
