"""Limits, headers and compression are read with their places, and a site's or a route's keys count before others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from stackctl.errors import InputError, StackfileError
from stackctl.model.blocked import networks_in
from stackctl.model.endpoints import PortBinding
from stackctl.model.headers import Changes, Hsts, Preset
from stackctl.model.http3 import Http3
from stackctl.model.limits import CountedBy, Rate
from stackctl.model.matching import PathMatch
from stackctl.model.project import PublishedPort
from stackctl.model.routing import Site
from stackctl.model.streams import Transport
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_stack
from stackctl.usecases.abilities import refuse_unable
from tests.unit.build import NGINX, project


def site(top: str = "", keys: str = "", route: str = "") -> Site:
    """The site of a file with keys at the top, in its block, and in its one route."""
    text = f"""\
x-stackctl: {{{top}}}
services:
  web:
    x-stackctl:
      domains: [a.example.com]
      port: 80
      routes:
        - path: /r
          {route or "port: 81"}
{"".join(f"      {line}{chr(10)}" for line in keys.splitlines())}"""
    return read_stack(Document.parse(text, "f.yml"), project()).sites[0]


def refusal(keys: str, **more: str) -> StackfileError:
    with pytest.raises(StackfileError) as caught:
        site(keys=keys, **more)
    return caught.value


def test_a_rate_has_its_number_of_requests_as_burst() -> None:
    (rate,) = site(keys="rate-limit: {requests: 10/s}").tuning.rates
    assert (rate, str(rate), rate.wait, rate.where) == (Rate(10, 1, 10), "10/s", 1, "f.yml:10")


def test_a_rate_has_a_burst_paths_and_whose_it_is() -> None:
    keys = "rate-limit:\n  - requests: 7/m\n    burst: 0\n    paths: [/login, /login/, /x]\n    by: all"
    keys += "\n  - {requests: 1/m}"
    first, second = site(keys=keys).tuning.rates
    assert first == Rate(7, 60, 0, (PathMatch("/login"), PathMatch("/x")), CountedBy.ALL)
    assert (first.wait, second.wait, second.where) == (9, 60, "f.yml:15")


def test_the_path_of_everything_is_no_condition() -> None:
    assert site(keys="rate-limit: {requests: 1/s, paths: [/x, /]}").tuning.rates[0].paths == ()


def test_limits_of_an_inner_block_replace_those_around_it() -> None:
    found = site("rate-limit: {requests: 9/s}, connections: 5", route="rate-limit: []")
    assert (found.tuning.rates, found.tuning.connections) == ((Rate(9, 1, 9),), 5)
    own = found.routes[1].tuning
    assert own is not None
    assert (own.rates, own.connections) == ((), 5)


@pytest.mark.parametrize(
    ("keys", "message", "place"),
    [
        ("rate-limit: {requests: 10}", "requests: expected text", "f.yml:10"),
        ("rate-limit: {requests: 10/h}", "'10/h' is not a rate", "f.yml:10"),
        ("rate-limit: {requests: 0/s}", "'0/s' is not a rate", "f.yml:10"),
        ("rate-limit: {requests: 100001/s}", "is more than 100000", "f.yml:10"),
        ("rate-limit: {burst: 3}", "missing required field `requests`", "f.yml:10"),
        ("rate-limit:\n  requests: 1/s\n  brust: 3", "has no key 'brust'", "f.yml:12"),
        ("rate-limit:\n  - requests: 1/s\n    paths: [login]", "'login' is not a path", "f.yml:12"),
        ("rate-limit:\n  - requests: 1/s\n  - requests: 1/s", "this limit is written twice", "f.yml:12"),
        ("connections: -1", "connections: expected a whole number >= 0", "f.yml:10"),
        ("headers: {set: {X Y: a}}", "'X Y' is not the name of a header", "f.yml:10"),
        ("headers:\n  set:\n    X-Y: a\n  remove:\n    - x-y", "x-y is named twice", "f.yml:14"),
        ("headers: {set: {Content-Length: '1'}}", "Content-Length cannot be changed here", "f.yml:10"),
        ("headers: {set: {Strict-Transport-Security: '1'}}", "'hsts' sets it", "f.yml:10"),
        ("headers: {remove: [Server]}", "the proxy writes its own name", "f.yml:10"),
        ("headers: {set: {Location: /x}}", "'redirect' of a route says where", "f.yml:10"),
        ("headers: {request: {remove: [Host]}}", "without it no app knows", "f.yml:10"),
        ("headers: {request: {set: {Upgrade: h2c}}}", "Upgrade cannot be changed here", "f.yml:10"),
        ('headers: {set: {X-Y: ""}}', "a header needs a value", "f.yml:10"),
        ('headers: {set: {X-Y: "a\\nX-Z: b"}}', "a character that no header may have", "f.yml:10"),
        ("headers: {set: {X-Y: é}}", "a character that no header may have", "f.yml:10"),
        ("headers: {hsts: 11y}", "is not a time of up to 10 years", "f.yml:10"),
        ("headers:\n  hsts:\n    max-age: 30d\n    preload: true", "the list that browsers ship with", "f.yml:13"),
        ("headers: {preset: strickt}", "expected basic or strict, got 'strickt'", "f.yml:10"),
        ("headers: {requst: {}}", "has no key 'requst'", "f.yml:10"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(keys: str, message: str, place: str) -> None:
    error = refusal(keys)
    assert message in error.message
    assert error.where == place


@pytest.mark.parametrize("limit", ["rate-limit: {requests: 1/s}", "connections: 1"])
def test_a_limit_of_what_the_proxy_answers_is_refused(limit: str) -> None:
    error = refusal("", route=f"deny: all\n          {limit}")
    assert (error.where, "requests that an app gets" in error.message) == ("f.yml:10", True)


def test_headers_of_all_blocks_count_together() -> None:
    route = "headers: {preset: strict, set: {x-b: route}, remove: [X-C], request: {set: {X-R: route}}}"
    found = site(
        "headers: {set: {X-A: top, X-B: top, X-C: top}, hsts: 1y, request: {set: {X-R: top}, remove: [X-D]}}",
        "headers: {preset: basic, set: {X-D: site}}",
        route,
    )
    headers = found.tuning.headers
    assert (headers.preset, headers.hsts) == (Preset.BASIC, Hsts(31_536_000))
    assert headers.response.set == (("X-A", "top"), ("X-B", "top"), ("X-C", "top"), ("X-D", "site"))
    own = found.routes[1].tuning
    assert own is not None
    assert own.headers.preset is Preset.STRICT
    assert own.headers.response == Changes((("X-A", "top"), ("X-D", "site"), ("x-b", "route")), ("X-C",))
    assert own.headers.request == Changes((("X-R", "route"),), ("X-D",))


def test_a_preset_gives_way_to_what_is_said() -> None:
    headers = site(
        keys="headers: {preset: basic, set: {x-frame-options: DENY}, remove: [Referrer-Policy]}"
    ).tuning.headers
    assert headers.defaults == {"X-Content-Type-Options": "nosniff"}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1y", "max-age=31536000"),
        ('"0"', "max-age=0"),
        ("{max-age: 2y, subdomains: true}", "max-age=63072000; includeSubDomains"),
        ("{max-age: 1y, subdomains: true, preload: true}", "max-age=31536000; includeSubDomains; preload"),
    ],
)
def test_hsts_is_written_as_browsers_read_it(written: str, value: str) -> None:
    assert str(site(keys=f"headers: {{hsts: {written}}}").tuning.headers.hsts) == value


@pytest.mark.parametrize(
    ("keys", "message", "place"),
    [
        ("block: {addresses: [192.0.2.300]}", "is not a network", "f.yml:10"),
        (
            "block:\n  addresses:\n    - 192.0.2.1\n    - 192.0.2.1/24",
            "is the address of a host in a network",
            "f.yml:13",
        ),
        ("block: {addresses: [0.0.0.0/0]}", "a large part of all addresses", "f.yml:10"),
        ("block: {addresses: ['::ffff:192.0.2.7']}", "is a network of IPv4", "f.yml:10"),
        ("block: {lists: [/etc/passwd.txt]}", "is not below the stack's directory", "f.yml:10"),
        ("block: {lists: [blocked.netset]}", "is not a text file", "f.yml:10"),
        ("block: {countries: [XX]}", "has no key 'countries'", "f.yml:10"),
    ],
)
def test_a_wrong_address_is_refused_with_its_place(keys: str, message: str, place: str) -> None:
    error = refusal(keys)
    assert message in error.message
    assert error.where == place


LIST = b"\xef\xbb\xbf# blocked\n192.0.2.0/25 ; SBL1\r\n\n192.0.2.128/25\n2001:db8::1\n"


def test_addresses_and_lists_are_joined() -> None:
    found = site(keys="block: {addresses: [192.0.3.0/24], lists: [lists/bad.txt]}").blocked
    assert [str(one) for one in found.all({"lists/bad.txt": LIST})] == ["192.0.2.0/23", "2001:db8::1/128"]
    assert [file.where for file in found.lists] == ["f.yml:10"]


@pytest.mark.parametrize("line", ["bad", "192.0.2.1-192.0.2.9", "::/0", "192.0.2.1 192.0.2.2"])
def test_a_line_of_a_list_that_is_no_network_is_named(line: str) -> None:
    with pytest.raises(InputError) as caught:
        list(networks_in(LIST + line.encode(), "lists/bad.txt"))
    assert caught.value.where == "lists/bad.txt:6"


HTTP3 = """\
x-stackctl:
  http3: true
  streams:
    - listen: LISTEN
      upstream: 10.0.0.5:53
"""


def test_http3_has_the_port_of_https_or_that_which_the_proxy_publishes() -> None:
    text = "x-stackctl: {http3: true}\n"
    stack = read_stack(Document.parse(text, "f.yml"), project())
    assert stack.http3 == Http3(PortBinding(None, 443))
    udp = replace(NGINX, ports=(*NGINX.ports, PublishedPort(443, PortBinding(None, 8443), Transport.UDP)))
    made = project()
    made = replace(made, services={**made.services, "nginx": udp})
    stack = read_stack(Document.parse(text, "f.yml"), made)
    assert stack.http3 is not None
    assert (stack.http3.published, stack.http3.where) == ("8443:443/udp", "f.yml:1")
    assert read_stack(Document.parse("services: {}\n", "f.yml"), made).http3 is None


def test_a_stream_of_packets_does_not_share_the_port_of_http3() -> None:
    with pytest.raises(StackfileError) as caught:
        read_stack(Document.parse(HTTP3.replace("LISTEN", "443/udp"), "f.yml"), project())
    assert (caught.value.where, "belongs to the stream 443/udp" in caught.value.message) == ("f.yml:2", True)
    assert read_stack(Document.parse(HTTP3.replace("LISTEN", "444/udp"), "f.yml"), project()).http3


@pytest.mark.parametrize(
    ("key", "what"), [("tls: terminated", "TLS ends before"), ("client-ip: proxy-protocol", "PROXY")]
)
def test_http3_does_not_pass_what_is_in_front(key: str, what: str) -> None:
    text = f"x-stackctl:\n  http3: true\n  behind: {{trusted: [10.0.0.0/16], {key}}}\n"
    with pytest.raises(StackfileError) as caught:
        read_stack(Document.parse(text, "f.yml"), project())
    assert (caught.value.where, what in caught.value.message) == ("f.yml:2", True)


def test_an_image_without_http3_is_refused() -> None:
    stack = read_stack(Document.parse("x-stackctl: {http3: true}\n", "f.yml"), project())
    refuse_unable(stack.fitted(hybrid_keys=False, ipv6=True, streams="", asks=True, quic=True))
    with pytest.raises(StackfileError) as caught:
        refuse_unable(stack.fitted(hybrid_keys=False, ipv6=True, streams="", asks=True))
    assert (caught.value.where, "remove 'http3'" in (caught.value.hint or "")) == ("f.yml:1", True)
