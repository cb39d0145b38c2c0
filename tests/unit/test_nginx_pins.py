from __future__ import annotations

import pytest

from stackctl.proxies.nginx.pins import pinned, pins_in
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.proxy import Pins, SiteTls
from tests.unit.build import site, stack

SITE = b"""\
# a.example.com -> web:8000. Written by stackctl.
upstream app_a.example.com {
    zone apps;
    server web:8000 resolve;
    server web:9000 weight=3 resolve;
    server web-2:8000 resolve;
    server 10.0.0.9:80;
}
"""
VARIABLE = b'        set $upstream_of_site "web:8000";\n'


def to(*addresses: str) -> dict[str, dict[int, int]]:
    return {address: {} for address in addresses}


def files(**more: bytes) -> dict[str, bytes]:
    return {"sites/a.example.com.conf": SITE, "sites/b.example.com.conf": VARIABLE, **more}


def test_addresses_take_the_place_of_a_name_in_one_line_each() -> None:
    found = pinned(files(), {"web": to("10.0.0.2", "10.0.0.3")})
    text = found["sites/a.example.com.conf"].decode()
    assert "server 10.0.0.2:8000; server 10.0.0.3:8000; # in place of: server web:8000 resolve;\n" in text
    assert "server 10.0.0.2:9000 weight=3; server 10.0.0.3:9000 weight=3; # in place of:" in text
    assert "    server web-2:8000 resolve;\n    server 10.0.0.9:80;\n" in text
    assert text.count("\n") == SITE.decode().count("\n")
    assert b'set $upstream_of_site "10.0.0.2:8000"; # in place of: set' in found["sites/b.example.com.conf"]
    assert pins_in(found) == {"web": to("10.0.0.2", "10.0.0.3")}
    assert pinned(found, {}) == files()


def test_a_container_can_listen_on_the_port_of_before() -> None:
    pins: Pins = {"web": {"10.0.0.2": {8000: 80}, "10.0.0.3": {}}}
    found = pinned(files(), pins)
    text = found["sites/a.example.com.conf"].decode()
    assert "server 10.0.0.2:80; server 10.0.0.3:8000; # in place of: server web:8000 resolve;\n" in text
    assert "server 10.0.0.2:9000 weight=3; server 10.0.0.3:9000 weight=3; # in place of:" in text
    assert b'set $upstream_of_site "10.0.0.2:80"; # in place of: set' in found["sites/b.example.com.conf"]
    assert pins_in(found) == pins
    assert pinned(found, {}) == files()


def test_a_name_that_comes_back_stands_beside_its_pins_first() -> None:
    pins = {"web": to("10.0.0.2")}
    found = pinned(pinned(files(), pins), pins, beside=True)
    text = found["sites/a.example.com.conf"].decode()
    assert "server 10.0.0.2:8000; server web:8000 resolve down; # in place of: server web:8000 resolve;\n" in text
    assert "server 10.0.0.2:9000 weight=3; server web:9000 weight=3 resolve down; # in place of:" in text
    assert found["sites/b.example.com.conf"] == pinned(files(), pins)["sites/b.example.com.conf"]
    assert pins_in(found) == pins
    assert pinned(found, pins) == pinned(files(), pins)
    assert pinned(found, {}) == files()


def test_a_service_can_have_no_server() -> None:
    found = pinned(files(), {"web": {}})
    text = found["sites/a.example.com.conf"].decode()
    assert "    server web:8000 resolve down; # in place of: server web:8000 resolve;\n" in text
    assert "    server web:9000 weight=3 resolve down; # in place of:" in text
    assert found["sites/b.example.com.conf"] == VARIABLE, "a variable names one"
    assert pins_in(found) == {"web": {}}
    assert pinned(found, {}) == files()


def test_another_pin_replaces_the_one_before() -> None:
    once = pinned(files(), {"web": to("10.0.0.2"), "web-2": to("10.0.0.4")})
    assert pinned(once, {"web": to("10.0.0.3")}) == pinned(files(), {"web": to("10.0.0.3")})


@pytest.mark.parametrize("path", ["sites/a.example.com.custom", "sites/a.example.com.location", "snippets/http.custom"])
def test_lines_of_the_user_stay(path: str) -> None:
    own = {path: b"server web:8000 resolve;\nx; # in place of: server web:8000;\n"}
    assert pinned(own, {"web": to("10.0.0.2")}) == own
    assert pins_in(own) == {}


def test_an_address_of_ipv6_has_brackets() -> None:
    found = pinned(files(), {"web": to("fd00::2")})
    assert b"server [fd00::2]:8000; #" in found["sites/a.example.com.conf"]
    assert pins_in(found) == {"web": to("fd00::2")}


@pytest.mark.parametrize("version", [(1, 30, 6), (1, 22, 1)])
def test_what_is_rendered_can_be_pinned(version: tuple[int, ...]) -> None:
    one = site("a.example.com", service="web")
    tls = {one.name: SiteTls("/c", "/k", frozenset(one.domains))}
    rendered = Nginx().render(stack(one), [one], tls, version, {}).sites[one.name]
    changed = pinned(rendered, {"web": to("10.0.0.2")})
    assert pins_in(changed) == {"web": to("10.0.0.2")}
    assert pinned(changed, {}) == rendered
