"""Reading: several servers of a site, and how requests are shared among them."""

from __future__ import annotations

import pytest

from stackctl.errors import StackfileError
from stackctl.model.backends import Backend, Canary, Server
from stackctl.model.balancing import Balance, HashKey, HashKind, Sticky
from stackctl.model.endpoints import Endpoint
from stackctl.model.values import ServiceName
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_sites

HEAD = "x-stackctl:\n  apps:\n    - domains: [a.example.com]\n"
FIRST = 4
"""The line of the first key behind :data:`HEAD`."""

SERVICE = "services:\n  web:\n    x-stackctl:\n      domains: [a.example.com]\n      port: 8000\n"


def backend(keys: str) -> Backend:
    """Return the backend of an item of ``apps`` with the lines ``keys``."""
    (site,) = read_sites(Document.parse(HEAD + keys, "f.yml"))
    action = site.routes[0].action
    assert isinstance(action, Backend)
    return action


def item(*lines: str) -> str:
    return "".join(f"      {line}\n" for line in lines)


def outside(number: int) -> Endpoint:
    return Endpoint(f"10.0.0.{number}", 80)


def test_a_list_has_texts_and_keys() -> None:
    keys = item(
        "upstreams:",
        "  - 10.0.0.11:80",
        "  - {address: '10.0.0.12:80', weight: 2, max-connections: 200}",
        "  - {address: '10.0.0.13:80', backup: true}",
        "  - {address: '10.0.0.14:80', drain: true}",
    )
    assert backend(keys) == Backend(
        (
            Server(outside(11)),
            Server(outside(12), weight=2, max_connections=200),
            Server(outside(13), backup=True),
            Server(outside(14), drained=True),
        )
    )


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["balance: least-conn"], (Balance.LEAST_CONN, None, None)),
        (["balance: random", "sticky: true"], (Balance.RANDOM, None, Sticky())),
        (["sticky: false"], (Balance.ROUND_ROBIN, None, None)),
        (["sticky: {cookie: shop, max-age: 1h}"], (Balance.ROUND_ROBIN, None, Sticky("shop", "1h"))),
        (["balance: hash", "hash: source"], (Balance.HASH, HashKey(HashKind.SOURCE), None)),
        (["balance: hash", "hash: header:X-User"], (Balance.HASH, HashKey(HashKind.HEADER, "x-user"), None)),
        (["balance: hash", "hash: cookie:Sid"], (Balance.HASH, HashKey(HashKind.COOKIE, "Sid"), None)),
    ],
)
def test_the_balance_is_that_of_the_servers(keys: list[str], expected: object) -> None:
    found = backend(item("upstream: a.internal:80", *keys))
    assert (found.balance, found.hash, found.sticky) == expected


def test_a_canary_gets_some_of_the_clients() -> None:
    found = backend(item("upstream: a.internal:80", "canary: {service: next, port: 80, percent: 5, cookie: g=beta}"))
    assert found.canary == Canary(Server.of(ServiceName("next"), 80), 5, ("g", "beta"))
    assert str(found) == "a.internal:80; next:80 for 5 % or g=beta"


def test_a_service_and_its_routes_share_one_backend() -> None:
    text = f"{SERVICE}      balance: least-conn\n      routes:\n        - {{path: /x, body-size: 1g}}\n"
    text += "        - {path: /y, upstreams: ['10.0.0.1:80', '10.0.0.2:80'], sticky: true}\n"
    (site,) = read_sites(Document.parse(text, "f.yml"))
    own, same, other = (route.action for route in site.routes)
    assert own == same == Backend(site.routes[0].servers, Balance.LEAST_CONN)
    assert other == Backend((Server(Endpoint("10.0.0.1", 80)), Server(Endpoint("10.0.0.2", 80))), sticky=Sticky())


@pytest.mark.parametrize(
    ("lines", "line", "message", "hint"),
    [
        (["upstreams: []"], 0, "lists no server", "add one"),
        (["upstreams: ['10.0.0.1:80', '10.0.0.1:80']"], 0, "listed twice", "weight"),
        (["upstreams:", "  - 10.0.0.1:80", "  - 10.0.0.2:8o"], 2, "is not HOST:PORT", "write it as"),
        (["upstreams:", "  - {address: '10.0.0.1'}"], 1, "is not HOST:PORT", "write it as"),
        (["upstreams:", "  - 10.0.0.1:80", "  - http://10.0.0.2/x"], 2, "has a path", "https://HOST:PORT"),
        (["upstreams:", "  - 10.0.0.1:80", "  - https://a.internal"], 2, "either HTTP or HTTPS", "before all"),
        (["upstreams: ['https://a.internal', 'https://b.internal']"], 0, "share one certificate", "upstream-tls"),
        (["upstreams:", "  - {address: '10.0.0.1:80', weight: 0}"], 1, "weight of 0", "drain: true"),
        (["upstreams:", "  - {address: '10.0.0.1:80', weight: 257}"], 1, "257 is not a weight", "1 to 256"),
        (["upstreams:", "  - {address: '10.0.0.1:80', weight: -1}"], 1, "-1 is not a weight", "1 to 256"),
        (["upstreams:", "  - {address: '10.0.0.1:80', weight: heavy}"], 1, "a whole number", ""),
        (["upstreams:", "  - {address: '10.0.0.1:80', max-connections: 0}"], 1, "0 is not a number of", "65535"),
        (["upstreams:", "  - {address: '10.0.0.1:80', wieght: 2}"], 1, "no key 'wieght'", "'weight'"),
        (["upstreams:", "  - {weight: 2}"], 1, "address", ""),
        (["upstreams:", "  - {address: '10.0.0.1:80', backup: true}"], 1, "every server is a backup", "remove it"),
        (["upstreams:", "  - {address: '10.0.0.1:80', drain: true}"], 1, "drained", "maintenance"),
        (["upstream: 10.0.0.1:80", "upstreams: ['10.0.0.2:80']"], -1, "an app needs", ""),
        (["upstream: a.internal:80", "balance: leastconn"], 1, "no way to balance", "'least-conn'"),
        (["upstream: a.internal:80", "balance: round-robbin"], 1, "no way to balance", "'round-robin'"),
        (["upstream: a.internal:80", "balance: best"], 1, "no way to balance", "round-robin, least-conn, random, hash"),
        (["upstream: a.internal:80", "hash: source"], 1, "applies to 'balance: hash'", "add 'balance: hash'"),
        (["upstream: a.internal:80", "balance: hash"], 1, "needs 'hash'", "source"),
        (["upstream: a.internal:80", "balance: hash", "hash: ip"], 2, "nothing to hash", "'source'"),
        (["upstream: a.internal:80", "balance: hash", "hash: cokie:a"], 2, "nothing to hash", "'cookie'"),
        (["upstream: a.internal:80", "balance: hash", "hash: 'cookie:'"], 2, "needs a name", "cookie:user"),
        (["upstream: a.internal:80", "balance: hash", "hash: query:a-b"], 2, "needs a name", "query:user"),
        (["upstream: a.internal:80", "balance: hash", "hash: source:x"], 2, "no name behind it", "only source"),
        (["upstream: a.internal:80", "sticky: {cookie: 'a b'}"], 1, "not a name of a cookie", "letters"),
        (["upstream: a.internal:80", "sticky: {max-age: 10ms}"], 1, "shorter than a second", ""),
        (["upstream: a.internal:80", "sticky: {cooky: a}"], 1, "no key 'cooky'", "'cookie'"),
        (["upstream: a.internal:80", "sticky: maybe"], 1, "sticky", ""),
        (["upstream: a.internal:80", "balance: hash", "hash: uri", "sticky: true"], 3, "no effect", "remove one"),
        (["balance: random", "upstreams:", "  - 10.0.0.1:80", "  - {address: '10.0.0.2:80', backup: true}"],
         3, "has no backups", "least-conn"),
        (["upstream: a.internal:80", "canary: {service: next, port: 80}"], 1, "percent", ""),
        (["upstream: a.internal:80", "canary: {service: next, port: 80, percent: 100}"], 1, "100 is not a share", "99"),
        (["upstream: a.internal:80", "canary: {service: next, port: 80, percent: 1, cookie: group}"],
         1, "NAME=VALUE", "group=beta"),
        (["service: web", "port: 80", "canary: {service: web, port: 80, percent: 5}"], 2, "both the canary", "newer"),
        (["upstream: https://a.internal", "canary: {service: next, port: 80, percent: 5}"], 1, "certificate", "verify"),
        (["routes: [{path: /, deny: all}]", "canary: {service: web, port: 80, percent: 5}"],
         1, "applies to servers", ""),
        (["routes: [{path: /, deny: all}]", "balance: random"], 1, "applies to servers", "upstreams"),
        (["routes: [{path: /, deny: all}]", "sticky: {cookie: a}"], 1, "applies to servers", "upstreams"),
        (["routes:", "  - {path: /, deny: all, sticky: true}"], 1, "applies to servers", "its service"),
        (["sticky: true", "upstream: a.internal:80", "routes:", "  - {path: /x, upstream: b.c:1, sticky: true}"],
         3, "the cookie srv is that of other servers", "cookie: NAME"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_line(lines: list[str], line: int, message: str, hint: str) -> None:
    with pytest.raises(StackfileError) as caught:
        backend(item(*lines))
    assert caught.value.where == f"f.yml:{FIRST + line}"
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")
