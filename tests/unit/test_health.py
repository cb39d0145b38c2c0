"""``health``: its keys, what nginx's program is told, the pins of a deploy, and what is read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from stackctl.diagnose.check import Verdict
from stackctl.diagnose.health import AskingFacts, described, judge_answers, judge_asking
from stackctl.errors import InputError, StackfileError
from stackctl.model.backends import Server, ServerTls, Speaks
from stackctl.model.endpoints import Endpoint
from stackctl.model.fields import Request
from stackctl.model.health import ActiveCheck, HealthCheck
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.proxies.health import ServerHealth, ServersHealth
from stackctl.proxies.nginx.health import CHOSEN
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.usecases.abilities import refuse_unable
from tests.unit.build import stack
from tests.unit.goldens import CASES, CHECK, WEB, Case, balanced, outside, rendered
from tests.unit.test_read_servers import backend, item

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
GROUPS = rendered(CASES["health"], "1.30")


@pytest.mark.parametrize(
    ("keys", "found"),
    [
        ("{path: /up}", ActiveCheck(HealthCheck("/up"), 5, 2, 3)),
        ("{path: /up, rise: 1}", ActiveCheck(HealthCheck("/up"), 5, 1, 3)),
        ("{path: /up, interval: 1m, timeout: 20s, fall: 9, status: 204}",
         ActiveCheck(HealthCheck("/up", ((204, 204),), 20.0), 60, 2, 9)),
    ],
)  # fmt: skip
def test_the_servers_of_an_item_are_asked(keys: str, found: ActiveCheck) -> None:
    assert backend(item("upstreams: [10.0.0.1:80, 10.0.0.2:80]", f"health: {keys}")).health == found


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ("{}", "missing required field `path`"),
        ("{path: up}", "'up' is not a path"),
        ("{path: /up, interval: 500ms}", "not a whole number of seconds"),
        ("{path: /up, interval: 0s}", "'0s'"),
        ("{path: /up, interval: 2s}", "is not over when the next one is due, after 2 s"),
        ("{path: /up, timeout: 0s}", "'0s'"),
        ("{path: /up, fall: 0}", "expected a whole number >= 1"),
        ("{path: /up, every: 1s}", "has no key 'every'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_place(keys: str, message: str) -> None:
    with pytest.raises(StackfileError) as refused:
        backend(item("upstream: 10.0.0.1:80", f"health: {keys}"))
    assert message.lower() in str(refused.value).lower()
    assert refused.value.where is not None


def test_a_grpc_server_and_what_has_no_server_is_not_asked() -> None:
    with pytest.raises(StackfileError, match="a gRPC server answers only gRPC"):
        backend(item("upstream: 10.0.0.1:80", "protocol: grpc", "health: {path: /up}"))
    with pytest.raises(StackfileError, match="'health' applies to servers"):
        backend(item("routes: [{path: /, deny: all, health: {path: /up}}]"))


def asking(server: Server) -> str:
    site = balanced("a.example.com", server, health=CHECK)
    custom = {"own.ca.pem": b"root"} if server.tls and server.tls.ca else {}
    body = rendered(Case(stack(site), custom=custom), "1.30")["health/a.example.com.conf"].decode()
    return "\n".join(line.strip() for line in body.splitlines() if line.strip().startswith(("ask", "group")))


def test_it_asks_as_nginx_speaks_to_the_server() -> None:
    assert "ask" not in asking(WEB)
    assert "\nask http2-prior-knowledge" in asking(replace(WEB, speaks=Speaks.H2C))
    assert asking(replace(WEB, tls=ServerTls(verify=False))).endswith("\nask tlsv1.2\nask insecure")
    verified = asking(replace(WEB, tls=ServerTls(name="app.internal", ca="own.ca.pem")))
    assert " https app.internal /up?a=1 " in verified
    assert verified.endswith('ask cacert = "/etc/nginx/sites/a.example.com.ca"')


def test_any_change_of_a_group_makes_another_one() -> None:
    bodies = {asking(WEB), asking(replace(WEB, weight=2)), asking(outside(1)), asking(WEB)}
    assert len(bodies) == 3


def test_the_pins_of_a_deploy_win() -> None:
    nginx = Nginx()
    pinned = nginx.pinned(GROUPS, {"web": {"172.18.0.5": {}}})
    site = pinned["sites/a.example.com.conf"].decode()
    assert site.count(f"# pinned # in place of: include {CHOSEN};") == 2
    assert f"    include {CHOSEN};" in pinned["sites/b.example.com.conf"].decode()
    assert "server 172.18.0.5:8000; # in place of: " in pinned["health/a.example.com.conf"].decode()
    assert nginx.pins(pinned) == {"web": {"172.18.0.5": {}}}
    assert nginx.pinned(pinned, {}) == GROUPS


def test_explain_finds_the_servers_behind_the_choice() -> None:
    found = Nginx().tracer(GROUPS, "b.example.com")(Request("GET", "/"), 443)
    assert found is not None
    assert found.action.targets == (Endpoint("api", 443),)


@pytest.mark.parametrize(
    ("made", "version", "message"),
    [
        (stack(balanced("a.example.com", WEB, health=CHECK)), "1.26", "from 1.27.3 on"),
        (stack(balanced("a.example.com", outside(1), health=CHECK)), "1.26", None),
    ],
)
def test_an_nginx_that_cannot_leave_out_a_container_is_refused(made: Stack, version: str, message: str | None) -> None:
    if message is None:
        assert "health/a.example.com.conf" in rendered(Case(made), version)
        return
    with pytest.raises(InputError, match=message):
        rendered(Case(made), version)


def test_an_image_without_curl_is_refused_where_servers_are_asked() -> None:
    made = stack(balanced("a.example.com", WEB, health=CHECK)).fitted(
        hybrid_keys=False, ipv6=True, streams="", asks=False
    )
    with pytest.raises(StackfileError, match=r"cannot ask the servers of a\.example\.com"):
        refuse_unable(made)
    refuse_unable(stack(balanced("a.example.com", WEB)).fitted(hybrid_keys=False, ipv6=True, streams="", asks=False))
    assert Nginx().can_ask("nginx version: nginx/1.30.4\nhas what asks servers\n")
    assert not Nginx().can_ask("nginx version: nginx/1.30.4\nsh: getent: not found\n")


def test_a_site_that_asks_belongs_to_its_files() -> None:
    nginx = Nginx()
    assert {path for path in GROUPS if path.startswith("health/")} == {
        "health/a.example.com.conf", "health/b.example.com.conf", "health/watch.sh", "health/servers.awk",
    }  # fmt: skip
    assert nginx.site_of("health/a.example.com.conf") == "a.example.com"
    assert nginx.site_of("health/watch.sh") is None


STATE = (
    "judged\t1800000000\n"
    "a.example.com\tweb:8000\t172.18.0.5:8000\t/up\tdown\t1799999000\t0\tout\t/up is answered with 500\n"
    "a.example.com\tweb:8000\t172.18.0.6:8000\t/up\tup\t1799990000\t1\tin\t\n"
    "a.example.com\tnone:80\t-\t/up\tdown\t1799999000\t0\tin\tits name does not resolve\n"
)


def test_the_state_is_read_as_far_as_it_goes() -> None:
    found = Nginx().servers_health(STATE + "cut off\tin the mid")
    assert found.judged == datetime.fromtimestamp(1800000000, UTC)
    assert [(str(one.address), one.up, one.left_out) for one in found.servers] == [
        ("172.18.0.5:8000", False, True), ("172.18.0.6:8000", True, False), ("None", False, False),
    ]  # fmt: skip
    assert Nginx().servers_health("cat: /run/stackctl/health/state: No such file or directory") == ServersHealth()
    assert Nginx().servers_health("judged\tsoon\na\tb\tc\td\tup\tnever\t0\tin\t") == ServersHealth()


def test_a_server_that_is_down_is_named_with_its_reason() -> None:
    out = ServerHealth(Domain("a.example.com"), "web:8000", Endpoint("172.18.0.5", 8000), False, NOW, True, "x is y")
    last = replace(out, server="10.0.0.1:80", address=Endpoint("10.0.0.1", 80), left_out=False)
    assert described(out).startswith("172.18.0.5:8000 (web:8000) gets no requests since 2026-11-27 ")
    assert described(last).startswith("10.0.0.1:80 is down since ")
    assert "but not left out: x is y" in described(last)
    checks = list(judge_answers("a.example.com", "f.yml:3", [out, replace(out, up=True)]))
    assert [check.verdict for check in checks] == [Verdict.WRONG]
    assert [check.verdict for check in judge_answers("a", "f:1", [replace(out, up=True)])] == [Verdict.OK]
    assert list(judge_answers("a", "f:1", [])) == []


@pytest.mark.parametrize(
    ("judged", "started", "verdict"),
    [
        (None, None, Verdict.UNKNOWN),
        (None, 10, Verdict.UNKNOWN),
        (None, 600, Verdict.WRONG),
        (5, 600, Verdict.OK),
        (600, 900, Verdict.WRONG),
    ],
)
def test_whether_it_asks_at_all(judged: int | None, started: int | None, verdict: Verdict) -> None:
    def ago(seconds: int | None) -> datetime | None:
        return None if seconds is None else NOW - timedelta(seconds=seconds)

    assert judge_asking(AskingFacts("nginx", ago(judged), ago(started), timedelta(seconds=5), NOW)).verdict is verdict


def test_the_canary_is_asked_too() -> None:
    body = GROUPS["health/a.example.com.conf"].decode()
    assert "server web:8000 resolve;" in body
    assert "server api:3000 resolve;" in body
