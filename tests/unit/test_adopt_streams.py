"""Blocks of ``stream`` become streams of x-stackctl where they only pass connections on; all else is named."""

from __future__ import annotations

import pytest

from stackctl.adopt.nginx_conf import NginxConf, read_conf
from stackctl.adopt.proposal import Handling
from stackctl.adopt.streams import PassedOn, read_streams, without_streams
from stackctl.model.endpoints import PortBinding
from stackctl.model.project import PublishedPort
from stackctl.model.streams import Transport
from stackctl.proxies.nginx.directives import every
from stackctl.proxies.nginx.reader import parse

PORTS = (
    *(PublishedPort(port, PortBinding(None, port)) for port in (80, 443, 5432)),
    PublishedPort(22, PortBinding("127.0.0.1", 2222)),
    PublishedPort(53, PortBinding(None, 53), Transport.UDP),
)
HTTP = """
http {
    set_real_ip_from 127.0.0.1;
    real_ip_header proxy_protocol;
    server {
        listen 127.0.0.1:8443 ssl proxy_protocol;
        listen [::1]:8443 ssl proxy_protocol;
        server_name a.example.com;
        location / { proxy_pass http://app:80; proxy_set_header X-Real-IP $proxy_protocol_addr; }
    }
    server { listen 80; server_name a.example.com; return 301 https://$host$request_uri; }
}
"""


def read(inside: str) -> PassedOn:
    return read_streams(parse(f"stream {{ {inside} }}".encode(), "x.conf"), PORTS, ("proxy",))


def behind(inside: str) -> NginxConf:
    directives = parse(f"stream {{ {inside} }} {HTTP}".encode(), "x.conf")
    return read_conf(without_streams(directives, read_streams(directives, PORTS, ("proxy",))))


def items(found: PassedOn) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(str(one.listen), str(one.upstream), one.allow) for one in found.streams]


def lost(found: PassedOn) -> list[str]:
    return [remark.text for remark in found.remarks if remark.handling is Handling.UNSUPPORTED]


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ("server { listen 5432; proxy_pass db:5432; }", ("5432", "db:5432", ())),
        ("server { listen 5432; listen [::]:5432 ipv6only=on; proxy_pass db:5432; }", ("5432", "db:5432", ())),
        ("upstream d { zone d 64k; server db:5432; } server { listen 5432; proxy_pass d; }", ("5432", "db:5432", ())),
        ("server { listen 5432; set $d db:5432; proxy_pass $d; }", ("5432", "db:5432", ())),
        ("server { listen 53 udp reuseport; proxy_pass dns:53; proxy_responses 1; }", ("53/udp", "dns:53", ())),
        ("server { listen 22; proxy_pass git:22; }", ("127.0.0.1:2222", "git:22", ())),
        (
            "server { listen 5432; allow 192.0.2.0/24; allow 2001:db8::1; deny all; proxy_pass db:5432; }",
            ("5432", "db:5432", ("192.0.2.0/24", "2001:db8::1")),
        ),
        ("deny all; server { listen 5432; allow all; proxy_pass db:5432; }", ("5432", "db:5432", ())),
    ],
)
def test_a_plain_server_is_a_stream(inside: str, expected: tuple[str, str, tuple[str, ...]]) -> None:
    found = read(inside)
    assert items(found) == [expected]
    assert not lost(found)


@pytest.mark.parametrize(
    ("inside", "named"),
    [
        ("server { listen 5432 ssl; proxy_pass db:5432; }", "listen 5432 ssl"),
        ("server { listen 5432; ssl_certificate x.pem; proxy_pass db:5432; }", "ssl_certificate x.pem"),
        ("server { listen 5432; proxy_ssl on; proxy_pass db:5432; }", "proxy_ssl on"),
        ("server { listen 5432; proxy_protocol on; proxy_pass db:5432; }", "proxy_protocol on to an app"),
        ("server { listen 5432 proxy_protocol; proxy_pass db:5432; }", "listen 5432 proxy_protocol"),
        ("server { listen 5000-5010; proxy_pass $server_addr; }", "listen 5000-5010"),
        ("server { listen 127.0.0.1:5432; proxy_pass db:5432; }", "listen 127.0.0.1:5432"),
        ("server { listen 5432; return hello; }", "return hello"),
        ("server { listen 5432; }", "a server without proxy_pass"),
        ("server { listen 5432; proxy_pass db; }", "'proxy_pass db' is no host with a port"),
        ("server { listen 9999; proxy_pass db:5432; }", "port 9999/tcp is not published"),
        ("server { listen 5432; deny 192.0.2.1; allow all; proxy_pass db:5432; }", "deny in front of allow"),
        ("server { listen 5432; deny all; proxy_pass db:5432; }", "deny all"),
        ("upstream d { server a:1; server b:1; } server { listen 5432; proxy_pass d; }", "the group d with 2 servers"),
        ("upstream d { hash $x; server a:1; } server { listen 5432; proxy_pass d; }", "the group d with 'hash $x'"),
        ("limit_conn_zone $binary_remote_addr zone=a:1m;", "limit_conn_zone $binary_remote_addr zone=a:1m"),
        ("geo $x { default db:1; } server { listen 5432; proxy_pass $x; }", "geo $x"),
        ("server { listen 5432; proxy_pass $upstream; }", "names are passed on from port 443 only"),
        ("server { listen 443; proxy_pass $x; }", "chosen by something else than a name of TLS"),
    ],
)
def test_what_a_stream_cannot_say_is_named(inside: str, named: str) -> None:
    found = read(inside)
    assert not found.streams
    assert any(named in text for text in lost(found)), found.remarks


MAP = "map $ssl_preread_server_name $way { %s default sites; }"
SITES = "upstream sites { server 127.0.0.1:8443; } server { listen 443; ssl_preread on; proxy_pass $way; %s }"


def test_tls_by_its_name_becomes_streams_and_the_sites_are_on_port_443() -> None:
    text = MAP % "Mail.example.com mail:443; a.example.com sites;" + SITES % ""
    found = read(text)
    assert items(found) == [("mail.example.com", "mail:443", ())]
    assert not lost(found)
    conf = behind(text)
    assert not conf.main
    [site, plain] = conf.servers
    assert {(one.port, one.tls, one.address) for one in site.listens} == {(443, True, "*")}
    assert site.unsupported_listen is None
    assert plain.listens[0].port == 80


def test_the_clients_address_is_the_proxys_own_matter() -> None:
    conf = behind(MAP % "" + SITES % "proxy_protocol on;")
    names = {one.name for one in conf.settings}
    assert not names & {"real_ip_header", "set_real_ip_from"}
    sent = {one.args for server in conf.servers for one in every(server.body) if one.name == "proxy_set_header"}
    assert sent == {("X-Real-IP", "$remote_addr")}


def test_a_proxy_in_front_of_the_sites_only_is_no_stream() -> None:
    text = "server { listen 443; proxy_pass 127.0.0.1:8443; }"
    assert not read(text).streams
    assert behind(text).servers[0].listens[0].port == 443


@pytest.mark.parametrize(
    ("names", "more", "named"),
    [
        ("*.example.com mail:443;", "", "the pattern *.example.com"),
        (".example.com mail:443;", "", "the pattern .example.com"),
        (r"~^mail mail:443;", "", "the pattern ~^mail"),
        ("mail.example.com mail:443;", "proxy_protocol on;", "proxy_protocol on to an app"),
        ("mail.example.com mail:443;", "allow 192.0.2.1; deny all;", "allow and deny in front of all sites"),
    ],
)
def test_what_names_cannot_say_is_named(names: str, more: str, named: str) -> None:
    found = read(MAP % names + SITES % more)
    assert not found.streams
    assert any(named in text for text in lost(found)), found.remarks


def test_unknown_names_that_are_passed_on_are_named() -> None:
    found = read(MAP.replace("default sites", "default mail:443") % "" + SITES % "")
    assert any("unknown names are passed on to mail:443" in text for text in lost(found))


def test_a_different_end_of_idle_connections_is_told() -> None:
    texts = [remark.text for remark in read("server { listen 5432; proxy_pass db:5432; proxy_timeout 1h; }").remarks]
    assert "connections to port 5432 are closed after 24h without data, not after 1h" in texts
