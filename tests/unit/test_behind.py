"""The key ``behind``: how it is read, what is refused, and whom it believes."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from stackctl.errors import StackfileError
from stackctl.model.edge import Behind, ClientIp, health_path
from stackctl.model.published import LISTS
from stackctl.model.stack import Stack
from stackctl.proxies.nginx.behind import refuse_clashes
from stackctl.proxies.nginx.capabilities import Capabilities
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_stack
from tests.unit.build import CERTBOT, project, service
from tests.unit.goldens import CASES

WEB = """\
services:
  web:
    x-stackctl: {domains: [example.com], port: 8000, routes: [{path: /live, service: web, port: 1}]}
x-stackctl:
"""
PLAIN = service("nginx", image="nginx:1.30", role="proxy", ports=[(80, None, 80)])


def read(*lines: str, published: tuple[int, ...] = (80, 443)) -> Stack:
    text = WEB + "".join(f"  {line}\n" for line in lines)
    found = project() if 443 in published else project(PLAIN, CERTBOT)
    return read_stack(Document.parse(text, "f.yml"), found)


def test_nothing_is_in_front_and_nobody_is_trusted_by_default() -> None:
    assert read().behind is None
    assert read("behind: {}").behind == Behind(where="f.yml:5")
    assert not Behind().trusts("127.0.0.1")


def test_a_stack_behind_a_balancer_that_terminates_tls_has_one_listener() -> None:
    stack = read("behind: {tls: terminated, redirect: true, trusted: [10.0.0.0/16], health: /up}", published=(80,))
    assert stack.behind == Behind(
        (ip_network("10.0.0.0/16"),), terminated=True, redirect=True, health=health_path("/up"), where="f.yml:5"
    )
    assert stack.proxy.https is None
    assert stack.proxy.for_visitors is stack.proxy.http


def test_published_lists_and_networks_are_merged() -> None:
    behind = read(
        "behind: {trusted: [cloudflare, 10.0.0.0/9, 10.128.0.0/9, 104.16.0.1], client-ip: cf-connecting-ip}"
    ).behind
    assert behind is not None
    assert behind.published == (LISTS["cloudflare"],)
    assert ip_network("10.0.0.0/8") in behind.trusted
    assert len(behind.trusted) < len(LISTS["cloudflare"].networks) + 3
    assert [behind.trusts(one) for one in ("104.16.0.1", "2606:4700::1", "10.9.9.9", "192.0.2.1", "::1")] == [
        *(True, True, True, False, False)
    ]


def test_connections_with_the_proxy_protocol_are_opened_with_it() -> None:
    stack = read("behind: {trusted: [10.0.0.0/16], client-ip: proxy-protocol}")
    assert [one.at.framed for one in stack.proxy.listeners] == [True, True]
    assert [one.at.framed for one in read("behind: {trusted: [10.0.0.0/16]}").proxy.listeners] == [False, False]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{tls: terminated}", "needs 'trusted'"),
        ("{client-ip: proxy-protocol}", "needs 'trusted'"),
        ("{trusted: [0.0.0.0/0]}", "0.0.0.0/0 contains clients"),
        ("{trusted: ['::/0']}", "::/0 contains clients"),
        ("{trusted: [0.0.0.0/1, 128.0.0.0/1]}", "0.0.0.0/1 contains clients"),
        ("{trusted: [10.0.0.0/8, 11.0.0.0/8]}", "together they are 10.0.0.0/7"),
        ("{trusted: ['2000::/3']}", "contains clients"),
        ("{trusted: ['::ffff:10.0.0.0/104']}", "is a network of IPv4"),
        ("{trusted: [10.0.0.1/8]}", "is the address of a host in a network"),
        ("{trusted: [lb.example.com]}", "is not a network"),
        ("{trusted: [cloudfare]}", "there is no published list 'cloudfare'"),
        ("{trusted: ['10.0.0.0/8; }']}", "is not a network"),
        ("{trusted: 10.0.0.0/8}", "expected a list"),
        ("{trusted: [10.0.0.0/16], redirect: true}", "'redirect' is for 'tls: terminated'"),
        ("{tls: terminated, trusted: [10.0.0.0/16], redirect: true, client-ip: proxy-protocol}", "by which scheme"),
        ("{tls: passthrough}", "expected terminated, got"),
        ("{client-ip: x-real-ip}", "cf-connecting-ip, proxy-protocol or x-forwarded-for"),
        ("{health: /}", "is the page of every site"),
        ("{health: healthz}", "is not a path"),
        ("{health: '/a b'}", "characters that health checks do not use"),
        ("{health: '/a;}'}", "characters that health checks do not use"),
        ("{health: /live}", "is the health path of this host"),
        ("{trustd: []}", "has no key 'trustd'"),
    ],
)
def test_what_is_refused(line: str, words: str) -> None:
    with pytest.raises(StackfileError) as caught:
        read(f"behind: {line}")
    assert words in f"{caught.value.message} {caught.value.hint}"
    assert caught.value.where in {"f.yml:5", "f.yml:3"}


def test_tls_that_ends_before_the_proxy_cannot_be_passed_on() -> None:
    with pytest.raises(StackfileError, match=r"TLS for mail\.example\.com cannot be passed on") as caught:
        read(
            "behind: {tls: terminated, trusted: [10.0.0.0/16]}",
            "streams: [{sni: mail.example.com, upstream: 'web:443'}]",
        )
    assert "f.yml:5" in (caught.value.hint or "")


def test_a_port_for_https_is_needed_where_the_proxy_terminates_tls() -> None:
    with pytest.raises(StackfileError, match="does not publish port 443"):
        read("behind: {trusted: [10.0.0.0/16]}", published=(80,))


def test_the_users_own_directives_do_not_contradict() -> None:
    stack, able = CASES["behind"].stack, Capabilities.of((1, 30, 4))
    with pytest.raises(StackfileError, match=r"set_real_ip_from 0\.0\.0\.0/0 does not go together") as caught:
        refuse_clashes(stack, {"http.conf": b"\nset_real_ip_from 0.0.0.0/0;\n"}, able)
    assert caught.value.where == "nginx/custom/http.conf:2"
    refuse_clashes(stack, {"http.conf": b"gzip on;\n", "a.example.com.conf": b""}, able)


def test_an_old_image_cannot_read_a_header_behind_a_stream() -> None:
    stack = CASES["proxy_protocol"].stack
    assert stack.behind is not None
    refuse_clashes(stack, {}, Capabilities.of((1, 22, 1)))
    header = Behind(stack.behind.trusted, client_ip=ClientIp.X_FORWARDED_FOR)
    refuse_clashes(replace(stack, behind=header), {}, Capabilities.of((1, 25, 5)))
    with pytest.raises(StackfileError, match=r"nginx 1\.22\.1 cannot read X-Forwarded-For behind a stream"):
        refuse_clashes(replace(stack, behind=header), {}, Capabilities.of((1, 22, 1)))
