"""What HAProxy says is read back: the state of its servers, its rejections, its log, and its files."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address
from random import Random

import pytest

from stackctl.errors import EngineError
from stackctl.model.backends import Backend
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, Endpoint
from stackctl.model.fields import Request
from stackctl.model.router import routed
from stackctl.model.routing import Answer
from stackctl.proxies.haproxy.proxy import Haproxy
from stackctl.proxies.proxy import SiteTls
from stackctl.proxies.sites import Rendering
from stackctl.proxies.trace import Outcome
from tests.integration.test_router import request, site
from tests.unit.build import stack, whole
from tests.unit.haproxy_goldens import cases, rendered

HAPROXY = Haproxy()
CASES = cases()

NAMES = """\
1
# be_id be_name srv_id srv_name srv_addr srv_op_state srv_admin_state srv_uweight srv_iweight ...
3 a.example.com 1 s1-1 {address} 2 {admin} 1 1 49 15 3 1 6 0 0 0 shop 8000 - 0 0 - - 0
3 a.example.com 2 s1-2 - 0 32 1 1 114 1 0 0 14 0 0 0 shop 8000 - 0 0 - - 0
4 b.example.com 1 s1 10.0.0.9 2 0 1 1 49 1 0 0 0 0 0 0 - 80 - 0 0 - - 0
"""
TABLE = """
# pxname,svname,status,lastchg,check_status,last_chk,addr,
a.example.com,s1-1,{status},50,{check},Layer7 check,{at},
a.example.com,s1-2,MAINT (resolution),115,,,,
b.example.com,s1,no check,49,,,10.0.0.9:80,
"""


def health(address: str, admin: int, status: str, check: str, at: str) -> list[tuple[object, ...]]:
    names, table = NAMES.format(address=address, admin=admin), TABLE.format(status=status, check=check, at=at)
    found = HAPROXY.servers_health(f"1795797417\n{names}{table}")
    assert found.judged == datetime(2026, 11, 27, 16, 36, 57, tzinfo=UTC)
    return [(one.site, one.server, one.address, one.up, one.since.second, one.reason) for one in found.servers]


def test_the_state_of_checked_servers() -> None:
    at = Endpoint("10.0.0.4", 8000)
    site, server = "a.example.com", "shop:8000"
    assert health("10.0.0.4", 0, "UP", "L7OK", str(at)) == [(site, server, at, True, 7, "")]
    down = health("10.0.0.4", 0, "DOWN", "L7STS", str(at))
    assert down == [(site, server, at, False, 7, "L7STS Layer7 check")]
    assert health("-", 32, "MAINT (resolution)", "", "") == [
        (site, server, None, False, 7, "shop does not resolve"),
    ]


@pytest.mark.parametrize("output", ["", "now\n", "1795797417\nsocat: no such file\n"])
def test_nothing_of_what_cannot_be_read(output: str) -> None:
    assert HAPROXY.servers_health(output).servers == ()


NO_PAIR = "unable to stat SSL certificate from file '@a.example.com/pair' : No such file or directory."


@pytest.mark.parametrize(
    ("path", "said", "site", "where"),
    [
        ("sites/a.example.com.cfg:8", "unknown keyword 'x'", "a.example.com", "custom/a.example.com.cfg:1"),
        ("sites/a.example.com.cfg:3", "'load' : no such file", "a.example.com", "sites/a.example.com.cfg:3"),
        ("frontend.cfg:5", NO_PAIR, "a.example.com", None),
        ("sections.cfg:2", "unknown keyword", None, "custom/sections.cfg:2"),
        ("haproxy.cfg:3", "unknown keyword", None, "haproxy.cfg:3"),
    ],
)
def test_a_rejection_names_the_line_to_edit(path: str, said: str, site: str | None, where: str | None) -> None:
    files = rendered(CASES["custom"], "3.2")
    alert = f"[ALERT]    (1) : config : parsing [/etc/haproxy/g/1/{path}] : {said}"
    found = HAPROXY.explain(f"[NOTICE]   (1) : haproxy version is 3.2\n{alert}\n", "g/1", files)
    assert (found.message, found.site, found.where) == (said, site, where and f"haproxy/{where}")


@pytest.mark.parametrize(
    ("output", "problem"),
    [
        ("sh: haproxy: not found", "has no HAProxy"),
        ("HAProxy version 2.6.12-1 +OPENSSL +LUA", "too old"),
        ("HA-Proxy version 1.8.30 2021/04/12", "HAProxy 1.8.30 is too old"),
        ("HAProxy version 3.2.1 +OPENSSL -LUA", "built without LUA"),
    ],
)
def test_an_image_that_cannot_serve_is_refused(output: str, problem: str) -> None:
    with pytest.raises(EngineError, match=problem):
        HAPROXY.parse_version(output)


def test_a_line_of_the_log_about_a_failed_request() -> None:
    line = (
        '10.0.0.1 - - [27/Nov/2026:16:36:07.484] a.example.com "GET / HTTP/1.1" 503 217 "" "curl" 3 -:- SC--'
        " a.example.com/<NOSRV>"
    )
    (error,) = HAPROXY.logged_errors(f"[NOTICE] (1) : Loading success.\n{line}\n")
    assert (error.host, error.request, error.upstream) == ("a.example.com", "GET / HTTP/1.1", None)
    assert "stackctl up" in HAPROXY.advice(error.message).todo
    assert HAPROXY.concerns(line, ["a.example.com"])
    assert not HAPROXY.concerns(line, ["b.example.com"])


def traced(case: str, name: str, target: str, port: int = HTTPS_PORT, **keys: str) -> tuple[Outcome, int | None, str]:
    headers = tuple((key.replace("_", "-"), value) for key, value in keys.items())
    request = Request("GET", target, headers, ip_address("192.0.2.1"))
    trace = HAPROXY.tracer(rendered(CASES[case], "3.2"), name)(request, port)
    assert trace is not None
    return trace.action.outcome, trace.action.status, trace.action.place.partition(":")[0]


def test_a_request_is_traced_through_the_files() -> None:
    own = "haproxy/sites/a.example.com.cfg"
    assert traced("issued", "a.example.com", "/") == (Outcome.PROXY, None, own)
    assert traced("issued", "a.example.com", "/", HTTP_PORT) == (Outcome.REDIRECT, 301, "haproxy/maps/https.map")
    assert traced("issued", "nobody.example.com", "/")[0] is Outcome.REFUSE
    assert traced("issued", "nobody.example.com", "/", HTTP_PORT)[0] is Outcome.CLOSE
    assert traced("issued", "a.example.com", "/../x")[1] == 400


def test_rules_are_traced_as_the_router_follows_them() -> None:
    random = Random(18)
    sites = [site(random, number, list(range(9000, 9030))) for number in range(12)]
    tls = {one.name: SiteTls("/c.pem", "/k.pem", frozenset()) for one in sites}
    files = whole(Rendering(HAPROXY, (3, 2, 26), {}), stack(*sites), tls)
    tracers = {one.name: HAPROXY.tracer(files, one.name) for one in sites}
    for _ in range(200):
        one, sent = random.choice(sites), request(random)
        wanted = routed(one, sent).route
        trace = tracers[one.name](sent, HTTP_PORT)
        assert trace is not None
        if wanted is None:
            assert trace.action.status in {400, 404}, sent
        elif isinstance(wanted.action, Backend):
            assert trace.action.targets == (wanted.servers[0].endpoint,), sent
        else:
            assert isinstance(wanted.action, Answer)
            file = trace.action.text.rpartition(" ")[2]
            assert files[f"sites/{file}"].decode() == wanted.action.text, sent
