"""The differences that an adoption reports: each is there if and only if the configurations differ in it."""

from __future__ import annotations

import pytest

from stackctl.adopt.addresses import by_name
from stackctl.adopt.config_changes import config_changes
from stackctl.adopt.nginx_conf import read_conf
from stackctl.adopt.proposal import Handling, Proposal, ProposedSite
from stackctl.model.backends import Server
from stackctl.model.values import Domain, ServiceName
from stackctl.proxies.nginx.reader import parse

NAME = Domain("a.example.com")
HEADERS = "proxy_set_header Host $host; proxy_set_header X-Real-IP $remote_addr;"


def conf(location: str = "", server: str = "", http: str = "", *, listen: str = "listen 443 ssl;") -> str:
    return (
        f"events {{}} http {{ {http} server {{ {listen} server_name {NAME}; {server} "
        f"location / {{ proxy_pass http://a:1; {location} }} }} }}"
    )


def found(old: str, new: str, *, names: int = 1) -> list[str]:
    sites = tuple(
        ProposedSite((Domain(f"{letter}.example.com"),), Server.of(ServiceName("a"), 1), "x:1", lineage="a")
        for letter in "abcdef"[:names]
    )
    remarks = config_changes(
        read_conf(parse(old.encode(), "old")), read_conf(parse(new.encode(), "new")), Proposal(sites=sites)
    )
    assert all(remark.handling is Handling.CHANGED for remark in remarks)
    return [remark.text.partition(": ")[2] for remark in remarks]


def test_equal_configurations_have_no_difference() -> None:
    assert found(conf(HEADERS), conf(HEADERS)) == []


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        ("", "client_max_body_size 64m;", "the largest request body is 64m, not 1m"),
        ("client_max_body_size 1M;", "", None),
        ("client_max_body_size 20m;", "client_max_body_size 20m;", None),
        ("proxy_read_timeout 60;", "", None),
        (
            "proxy_read_timeout 1h;",
            "proxy_read_timeout 300s;",
            "the app has 300s between two parts of a response, not 1h",
        ),
        ("", "proxy_http_version 1.1;", "the app is asked over HTTP/1.1, not HTTP/1.0"),
        ("", "proxy_buffering off;", "responses are passed on as they arrive, not collected first"),
        ("gzip on;", "", "compression of responses is off, not on"),
        ("", "proxy_set_header Upgrade $http_upgrade;", "WebSockets pass"),
        ("proxy_set_header Upgrade $http_upgrade;", "proxy_set_header Upgrade $edge_upgrade;", None),
        ("", "proxy_set_header X-A b;", "the app also gets X-A"),
        ("proxy_set_header X-A b;", "", "the app no longer gets X-A"),
        ("proxy_set_header X-A b;", "proxy_set_header X-A c;", "the app gets X-A as c, not as b"),
        ("proxy_set_header Host $http_host;", "proxy_set_header Host $host$edge_port_suffix;", None),
        ("", 'proxy_set_header CF-Ray "";', "a client's own CF-Ray no longer reaches the app"),
    ],
)
@pytest.mark.parametrize("level", ["location", "server", "http"])
def test_a_difference_of_the_route_is_seen_at_every_level(old: str, new: str, text: str | None, level: str) -> None:
    assert found(conf(**{level: old}), conf(**{level: new})) == ([text] if text else [])


@pytest.mark.parametrize(
    ("old", "new", "differs"),
    [
        ("listen 443 ssl;", "listen 443 ssl http2;", True),
        ("listen 443 ssl; http2 on;", "listen 443 ssl http2;", False),
        ("listen 443 ssl http2;", "listen 443 ssl; http2 on;", False),
    ],
)
def test_http2_is_a_difference_however_it_is_written(old: str, new: str, differs: bool) -> None:
    assert found(conf(listen=old), conf(listen=new)) == (["HTTP/2 is offered"] if differs else [])


def test_other_statuses_of_the_redirect_are_a_difference() -> None:
    plain = f"server {{ listen 80; server_name {NAME}; return 301 https://$host$request_uri; }}"
    by_method = plain.replace("return 301", "if ($request_method = POST) { return 308 https://$host; } return 301")
    old, new = (conf().rstrip().removesuffix("}") + one + "}" for one in (plain, by_method))
    assert found(old, new) == ["HTTP is redirected to HTTPS with 301, 308, by method, not with 301"]
    assert found(old, old) == []


def test_a_difference_of_all_sites_is_reported_once() -> None:
    http = "server { listen 443 ssl default_server; location / { proxy_pass http://a:1; } }"
    old, new = (f"events {{}} http {{ {one} {http} }}" for one in ("", "client_max_body_size 2m;"))
    assert found(old, new, names=5) == ["the largest request body is 2m, not 1m"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("server 172.18.0.3:8000 max_fails=2;", "server a:8000 max_fails=2"),
        ("server 172.18.0.9:8000;", "server 172.18.0.9:8000"),
        ("proxy_pass http://172.18.0.3:8000/x;", "proxy_pass http://a:8000/x"),
        ("fastcgi_pass 172.18.0.3:9000;", "fastcgi_pass a:9000"),
        ("allow 172.18.0.3;", "allow 172.18.0.3"),
        ("server 172.18.0.30:1;", "server 172.18.0.30:1"),
    ],
)
def test_addresses_of_containers_become_names(written: str, expected: str) -> None:
    [block] = by_name(parse(f"x {{ {written} }}".encode(), "f"), {"172.18.0.3": "a"})
    assert [one.head for one in block.inner] == [expected]
