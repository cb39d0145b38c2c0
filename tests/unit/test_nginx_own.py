"""The user's nginx directives next to the rendered ones: each takes effect, and nginx accepts both."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest

from stackctl.certs.copied import lineage_pair
from stackctl.certs.held import held
from stackctl.certs.shelf import Shelf
from stackctl.errors import InputError
from stackctl.model.access import Access
from stackctl.model.headers import Changes, Headers
from stackctl.model.limits import Rate
from stackctl.model.pages import ErrorPages, PageFile
from stackctl.model.tuning import Tuning
from stackctl.proxies.nginx.directives import Directive, every, first, named
from stackctl.proxies.nginx.reader import parse
from stackctl.proxies.nginx.shared import shared_files
from stackctl.proxies.nginx.site import site_files
from stackctl.proxies.nginx.snippets import own_directives
from stackctl.proxies.removed import REMOVED
from stackctl.proxies.sites import issued_tls, site_tls
from tests.unit.build import site, stack

NAME = "a.example.com"
VERSION = (1, 30, 4)
VOUCHED = ["host", "x-real-ip", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port"]


def rendered(
    custom: str = "",
    location: str = "",
    http: str = "",
    *,
    trusted: bool = True,
    tuning: Tuning | None = None,
    included: str = "",
    errors: ErrorPages | None = None,
) -> tuple[Directive, list[Directive]]:
    """The http block without its servers, and the site's servers; includes of stackctl's are read, the user's too."""
    one = replace(site(NAME, tuning=tuning or Tuning()), errors=errors or ErrorPages())
    tls = issued_tls(one, lineage_pair(one.name)) if trusted else site_tls(one, held(one, Shelf()))
    own = [text.encode() or None for text in (custom, location, http)]
    more = {"own.conf": included.encode()}
    shared = shared_files(stack(one), VERSION, custom=own[2], files=more)
    files = {
        **shared,
        **site_files(
            stack(one), one, tls, VERSION, custom=own[0], location=own[1], http=own_directives(own[2], more), files=more
        ),
        "custom/own.conf": included.encode(),
    }

    def read(path: str) -> list[Directive]:
        return [inner for one in parse(files[path], path) for inner in _expanded(one) if inner.name != "#"]

    def _expanded(one: Directive) -> list[Directive]:
        if one.name == "include":
            path = one.arg.removeprefix("/etc/nginx/")
            return read(path) if path in files else []
        return [one if one.block is None else one.with_block(i for b in one.block for i in _expanded(b))]

    (block,) = named(read("nginx.conf"), "http")
    return block, list(named(read(f"sites/{NAME}.conf"), "server"))


def in_force(name: str, *levels: Directive) -> list[tuple[str, ...]]:
    """The values of a list directive in the innermost block: those of the nearest level that has any."""
    for level in reversed(levels):
        found = [one.args for one in named(level.inner, name)]
        if found:
            return found
    return []


def sent(http: Directive, server: Directive) -> dict[str, str]:
    (location,) = (one for one in named(server.inner, "location") if one.args == ("/",))
    headers = in_force("proxy_set_header", http, server, location)
    names = [name.lower() for name, _ in headers]
    assert len(names) == len(set(names)), "nginx would send the header twice"
    return {name.lower(): value for name, value in headers}


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize(
    ("custom", "location", "http"),
    [
        ("", "", ""),
        ("proxy_set_header X-Mine 1;", "", ""),
        ("", "proxy_set_header X-Mine 1;", ""),
        ("", "", "proxy_set_header X-Mine 1;"),
        ("proxy_set_header X-Other 2;", "proxy_set_header X-Mine 1;", "proxy_set_header X-Third 3;"),
        ("proxy_set_header X-Mine 2;", "", "proxy_set_header X-Mine 1;"),
        ("include snippets/proxy.conf;\nproxy_set_header X-Mine 1;", "", ""),
        ("", "include /etc/nginx/snippets/proxy.conf;\nproxy_set_header X-Mine 1;", ""),
    ],
)
def test_a_header_of_the_users_drops_none_of_the_proxys(
    custom: str, location: str, http: str, *, trusted: bool
) -> None:
    block, servers = rendered(custom, location, http, trusted=trusted)
    assert len(servers) == (1 if trusted else 2)
    for server in servers:
        headers = sent(block, server)
        assert set(VOUCHED) <= set(headers)
        assert all(headers[name.lower()] == "" for name in REMOVED)
        mine = "x-mine" in headers
        assert mine is ("X-Mine" in custom + location + http)
        if "X-Other" in custom:
            # As documented: an inner block adds to the outer ones.
            assert {"x-other", "x-third"} <= set(headers)
        if http and custom == "proxy_set_header X-Mine 2;":
            assert headers["x-mine"] == "2"


@pytest.mark.parametrize("where", ["custom", "location", "http"])
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Host", "app.internal"),
        ("x-forwarded-proto", "https"),
        ("True-Client-IP", "$remote_addr"),
        ("Forwarded", "by=x"),
    ],
)
def test_a_header_of_the_users_replaces_the_proxys_of_that_name(where: str, name: str, value: str) -> None:
    block, (server,) = rendered(**{where: f"proxy_set_header {name} {value};"})  # type: ignore[arg-type]
    headers = sent(block, server)
    assert headers[name.lower()] == value
    assert set(VOUCHED) <= set(headers)
    assert {one.lower() for one in REMOVED} <= set(headers)


SETTINGS = [
    "client_max_body_size 1k;",
    "proxy_read_timeout 1s;",
    "proxy_send_timeout 1s;",
    "proxy_connect_timeout 1s;",
    "proxy_buffer_size 4k;",
    "proxy_buffers 4 8k;",
    "proxy_busy_buffers_size 64k;",
    "proxy_buffering on;",
    "large_client_header_buffers 8 64k;",
    "keepalive_timeout 5s;",
    "server_tokens on;",
    "sendfile off;",
]


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize("where", ["custom", "location", "http"])
def test_a_setting_of_the_users_is_the_only_one_in_its_block(where: str, setting: str) -> None:
    if where == "location" and setting.startswith("large_client"):
        pytest.skip("nginx refuses it in a location")
    block, (server,) = rendered(**{where: setting})  # type: ignore[arg-type]
    (location,) = (one for one in named(server.inner, "location") if one.args == ("/",))
    name, *value = setting.removesuffix(";").split()
    levels = {"http": block, "custom": server, "location": location}
    assert [list(one.args) for one in named(levels[where].inner, name)] == [value]
    # Nothing further in overrides it.
    inner = {"http": [server, location], "custom": [location], "location": []}[where]
    assert not [one for level in inner for one in named(level.inner, name)]


def test_the_compose_file_has_the_last_word_over_http_conf_only() -> None:
    _, (server,) = rendered(http="client_max_body_size 1k;", tuning=Tuning(body_size="5m"))
    found = first(server.inner, "client_max_body_size")
    assert found is not None
    assert found.args == ("5m",)
    _, (server,) = rendered("client_max_body_size 1k;", tuning=Tuning(body_size="5m"))
    assert [one.args for one in named(server.inner, "client_max_body_size")] == [("1k",)]


@pytest.mark.parametrize("where", ["custom", "http"])
def test_lists_of_the_users_reach_the_location_that_proxies(where: str) -> None:
    block, (server,) = rendered(**{where: "add_header X-Mine here always;\nproxy_hide_header X-Powered-By;"})  # type: ignore[arg-type]
    (location,) = (one for one in named(server.inner, "location") if one.args == ("/",))
    assert ("X-Mine", "here", "always") in in_force("add_header", block, server, location)
    hidden = [args[0] for args in in_force("proxy_hide_header", block, server, location)]
    assert hidden.count("X-Powered-By") == 1
    assert {"Upgrade", "Keep-Alive"} <= set(hidden)


@pytest.mark.parametrize(
    "own",
    [
        "proxy_buffer_size 1k;", "proxy_buffer_size 256k;", "proxy_buffers 2 4k;", "proxy_buffers 4 256k;",
        "proxy_busy_buffers_size 8k;", "proxy_busy_buffers_size 512k;", "proxy_buffers 32 4k;\nproxy_buffer_size 64k;",
        "proxy_buffer_size 8192;\nproxy_busy_buffers_size 16384;", "proxy_buffers 8 1m;\nproxy_busy_buffers_size 2m;",
    ],
)  # fmt: skip
@pytest.mark.parametrize("where", ["custom", "location", "http"])
def test_buffers_fit_each_other(where: str, own: str) -> None:
    """The rules of ngx_http_upstream.c: busy >= max(size, one), busy <= all but one."""
    block, (server,) = rendered(**{where: own})  # type: ignore[arg-type]
    (location,) = (one for one in named(server.inner, "location") if one.args == ("/",))
    levels = [block, server, location]

    def value(name: str) -> tuple[str, ...]:
        found = [one for level in levels if (one := first(level.inner, name)) is not None]
        return found[-1].args

    size, busy = _bytes(value("proxy_buffer_size")[0]), _bytes(value("proxy_busy_buffers_size")[0])
    count, one = int(value("proxy_buffers")[0]), _bytes(value("proxy_buffers")[1])
    assert busy >= max(size, one)
    assert busy <= (count - 1) * one
    for line in own.splitlines():
        name, *wanted = line.removesuffix(";").split()
        assert list(value(name)) == wanted


def _bytes(text: str) -> int:
    match = re.fullmatch(r"(\d+)([km]?)", text)
    assert match is not None
    return int(match[1]) * {"": 1, "k": 1 << 10, "m": 1 << 20}[match[2]]


@pytest.mark.parametrize("own", ["proxy_cache mine;", "proxy_store on;", "location /a { proxy_cache mine; }"])
def test_responses_are_buffered_where_the_user_stores_them(own: str) -> None:
    _, (server,) = rendered(own)
    buffering = first(server.inner, "proxy_buffering")
    assert buffering is not None
    assert buffering.args == ("on",)


def test_a_file_that_nginx_refuses_changes_nothing_around_it() -> None:
    for broken in ("location / {", "}", "proxy_set_header X-Mine", "\x00"):
        own = site(NAME)
        files = site_files(stack(own), own, issued_tls(own, lineage_pair(own.name)), VERSION, custom=broken.encode())
        assert b"include sites/a.example.com.custom;" in files[f"sites/{NAME}.conf"]
        assert (
            b"include snippets/http.custom;" in shared_files(stack(own), VERSION, custom=broken.encode())["nginx.conf"]
        )


@pytest.mark.parametrize(
    "own",
    [
        "map_hash_bucket_size 128;",
        "map $a $b { default 1; }\nmap_hash_max_size  4096 ;map_hash_bucket_size\n 128;",
        "log_format x '$b';map_hash_bucket_size 128; # map_hash_max_size 1;",
    ],
)
def test_the_sizes_of_maps_come_before_the_first_map(own: str) -> None:
    block, _ = rendered(http=own)
    names = [one.name for one in block.inner]
    sizes = [name for name in names if name.startswith("map_hash")]
    assert len(sizes) == sum(one.name.startswith("map_hash") for one in parse(own.encode(), "x"))
    assert names.index("map") > max(names.index(name) for name in sizes)


PROTECTING = [
    "allow 10.0.0.0/8;\ndeny all;",
    'auth_basic "mine";\nauth_basic_user_file /etc/nginx/custom/users;',
    "auth_request /auth;\nlocation = /auth { return 401; }",
    "if ($http_x_key != secret) { return 403; }",
    "satisfy any;\ndeny all;",
    "limit_req zone=mine;",
    "location /admin/ { deny all; }",
    "return 404;",
    "rewrite ^/(.*)$ /x/$1;",
]


@pytest.mark.parametrize("own", PROTECTING)
def test_a_rule_that_protects_a_site_is_there_over_plain_http_too(own: str) -> None:
    _, servers = rendered(own, trusted=False)
    assert [first(one.inner, "listen").args == ("80",) for one in servers] == [True, False]  # type: ignore[union-attr]
    names = {one.name for one in parse(own.encode(), "")}
    for server in servers:
        assert names <= {one.name for one in server.inner}
    # The challenge is reached before any of them.
    plain = servers[0].inner
    assert next(one.name for one in plain if one.name not in {"listen", "server_name"}) == "if"
    challenge = next(one for one in named(plain, "location") if "/.well-known/acme-challenge/" in one.args)
    assert first(challenge.inner, "auth_basic").args == ("off",)  # type: ignore[union-attr]
    assert first(challenge.inner, "allow").args == ("all",)  # type: ignore[union-attr]
    if "auth_request" in own:
        assert first(challenge.inner, "auth_request").args == ("off",)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "own", ["ssl_verify_client on;", "listen 8443 ssl;", "location ^~ /.well-known/acme-challenge/ {}"]
)
def test_a_site_that_cannot_be_protected_over_plain_http_is_closed_there(own: str) -> None:
    _, servers = rendered(own, trusted=False)
    plain = servers[0]
    assert [one.args for one in named(plain.inner, "listen")] == [("80",), ("[::]:80",)]
    assert not [one for one in every(plain.inner) if one.name == "proxy_pass"]
    assert [one.args for one in every(plain.inner) if one.name == "return"] == [("403",)]


@pytest.mark.parametrize("path", ["custom/own.conf", "/etc/nginx/custom/own.conf"])
@pytest.mark.parametrize("where", ["custom", "location", "http"])
def test_a_file_that_the_users_file_includes_counts_like_its_own_lines(where: str, path: str) -> None:
    lines = "add_header X-Mine here always;\nproxy_set_header X-Own 1;\nclient_max_body_size 1k;\n"
    block, (server,) = rendered(**{where: f"include {path};\n"}, included=lines)  # type: ignore[arg-type]
    location = first(server.inner, "location")
    assert location is not None
    levels = (block, server, location)
    assert ("X-Mine", "here", "always") in in_force("add_header", *levels)
    assert {one[0].lower() for one in in_force("proxy_set_header", *levels)} >= {*VOUCHED, "x-own"}
    assert all(len(list(named(level.inner, "client_max_body_size"))) <= 1 for level in levels)


def test_a_page_keeps_the_users_headers_beside_those_of_the_key() -> None:
    tuning = Tuning(headers=Headers(response=Changes((("X-Key", "1"),))))
    pages = ErrorPages(((502, PageFile("pages/502.html")),))
    block, (server,) = rendered("add_header X-Mine 1 always;", tuning=tuning, errors=pages)
    (page,) = (one for one in named(server.inner, "location") if one.args[-1].endswith("502.html"))
    assert {args[0] for args in in_force("add_header", block, server, page)} == {"X-Mine", "X-Key"}


def test_a_header_of_the_proxys_own_gives_way_to_that_of_the_key() -> None:
    headers = Headers(response=Changes((("retry-after", "7"),), ("X-Other",)))
    block, (server,) = rendered(tuning=Tuning(rates=(Rate(1, 1, 1),), headers=headers))
    (location,) = (one for one in named(server.inner, "location") if one.args == ("/",))
    found = [args[:2] for args in in_force("add_header", block, server, location) if args[0].lower() == "retry-after"]
    assert found == [("retry-after", "7")]


@pytest.mark.parametrize(
    ("files", "where"),
    [
        ({"custom": "location = /x {\n    auth_basic off;\n    return 200;\n}"}, f"nginx/custom/{NAME}.conf:2"),
        ({"custom": "location /x { location /x/y { auth_request off; } }"}, f"nginx/custom/{NAME}.conf:1"),
        ({"custom": "\nsatisfy any;"}, f"nginx/custom/{NAME}.conf:2"),
        (
            {"custom": "include custom/own.conf;", "included": "\n\nlocation /x { auth_basic off; }"},
            "nginx/custom/own.conf:3",
        ),
        ({"location": "if ($arg_a) { }\nlocation /x { auth_basic off; }"}, f"nginx/custom/{NAME}.location.conf:2"),
        ({"http": 'auth_basic "all";'}, "nginx/custom/http.conf:1"),
    ],
)
def test_directives_that_could_open_what_access_closes_are_refused_by_line(files: dict[str, Any], where: str) -> None:
    closed = Tuning(access=Access(users=PageFile("users", "f.yml:1")))
    with pytest.raises(InputError, match="both say who may make requests") as caught:
        rendered(**files, tuning=closed)
    assert caught.value.where == where
    rendered(**files)


def test_another_server_of_the_users_may_ask_for_its_own_passwords() -> None:
    own = "server { listen 81; auth_basic x; location /y { auth_basic off; } }"
    rendered(http=own, tuning=Tuning(access=Access(users=PageFile("users", "f.yml:1"))))
