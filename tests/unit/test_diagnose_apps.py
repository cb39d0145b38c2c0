"""Why the proxy does not reach an app: each common cause is found by its own check."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from typing import Any

import pytest

from stackctl.diagnose.apps import CONTAINER, HEALTH, NETWORK, OUTSIDE, PORT, AppFacts, judge_app
from stackctl.diagnose.check import Verdict
from stackctl.model.backends import Server
from stackctl.model.endpoints import Endpoint
from stackctl.model.values import ServiceName
from stackctl.observed.containers import Inspected
from stackctl.observed.sockets import ListeningSocket, parse_listeners
from tests.unit.build import NOW

ALL = [CONTAINER, HEALTH, NETWORK, PORT]


def listener(text: str) -> ListeningSocket:
    address, _, port = text.rpartition(":")
    return ListeningSocket(ip_address(address.strip("[]")), int(port))


def listeners(*texts: str) -> tuple[ListeningSocket, ...]:
    return tuple(map(listener, texts))


WELL = Inspected(
    name="stack-web-1",
    state="running",
    service="web",
    started=NOW - timedelta(hours=1),
    networks={"stack_default": "10.9.0.2"},
    listeners=listeners("0.0.0.0:8000"),
)


def facts(*containers: Inspected, **more: Any) -> AppFacts:
    server = Server.of(ServiceName("web"), 8000)
    usual = AppFacts("a.example.com", server, "f.yml:7", containers, frozenset({"stack_default"}), None, NOW)
    return replace(usual, **more)


def test_healthy_app() -> None:
    checks = judge_app(facts(WELL))
    assert [check.name for check in checks] == ALL
    assert {check.verdict for check in checks} == {Verdict.OK}
    assert {check.subject for check in checks} == {"a.example.com"}


@pytest.mark.parametrize(
    ("change", "name", "text", "todo"),
    [
        ({"state": "exited", "exit_code": 3, "last_line": "no database"}, CONTAINER, "exited with code 3", "up"),
        ({"state": "created"}, CONTAINER, "not running: created", "stackctl up"),
        ({"state": "paused"}, CONTAINER, "paused", "docker compose unpause web"),
        (
            {"state": "restarting", "exit_code": 1, "restarts": 4, "last_line": "boom"},
            CONTAINER,
            "crash loop: it ended with code 1, and was restarted 4 times; last log line: boom",
            "stackctl logs a.example.com",
        ),
        ({"restarts": 9, "started": NOW - timedelta(seconds=9)}, CONTAINER, "crash loop", "fix the error"),
        ({"state": "restarting", "oom_killed": True}, CONTAINER, "ran out of memory", "fix the error"),
        ({"health": "unhealthy", "health_output": "no answer"}, HEALTH, "unhealthy: no answer", "health check"),
        ({"networks": {"other": "10.8.0.2"}}, NETWORK, "it is on other, the proxy on stack_default", "force-recreate"),
        ({"listeners": listeners("127.0.0.1:8000")}, PORT, "listens on 127.0.0.1:8000 only", "0.0.0.0:8000"),
        ({"listeners": listeners("[::1]:8000")}, PORT, "listens on [::1]:8000 only", "0.0.0.0:8000"),
        (
            {"listeners": listeners("0.0.0.0:9000")},
            PORT,
            "wrong port: nothing listens on 8000",
            "'port: 9000' at f.yml:7",
        ),
        ({"listeners": listeners("[::]:9000", "10.9.0.2:9001")}, PORT, "but on 9000 and 9001", "port: 9000"),
        ({"listeners": listeners("127.0.0.1:9000")}, PORT, "only on 127.0.0.1:9000", "0.0.0.0:8000"),
        ({"listeners": ()}, PORT, "listens on no port at all", "0.0.0.0:8000"),
        ({"listeners": (), "started": NOW - timedelta(seconds=3)}, PORT, "still starting", "in a moment"),
        ({"listeners": (), "health": "starting"}, PORT, "still starting", "in a moment"),
    ],
)
def test_one_fault_fails_exactly_one_check(change: dict[str, Any], name: str, text: str, todo: str) -> None:
    checks = judge_app(facts(replace(WELL, **change)))
    wrong = [check for check in checks if check.verdict is Verdict.WRONG]
    assert [check.name for check in wrong] == [name]
    assert text in wrong[0].text
    assert todo in (wrong[0].todo or "")
    assert [check.name for check in checks] == ALL


@pytest.mark.parametrize(
    "change",
    [
        {"listeners": listeners("[::]:8000")},
        {"listeners": listeners("10.9.0.2:8000")},
        {"listeners": listeners("127.0.0.1:8000", "0.0.0.0:8000", "0.0.0.0:9000")},
        {"restarts": 3},
        {"health": "healthy"},
        {"health": "starting"},
    ],
)
def test_harmless_states_fail_no_check(change: dict[str, Any]) -> None:
    assert Verdict.WRONG not in {check.verdict for check in judge_app(facts(replace(WELL, **change)))}


def test_a_service_without_a_container() -> None:
    checks = judge_app(facts())
    assert [check.verdict for check in checks] == [Verdict.WRONG, *[Verdict.UNKNOWN] * 3]
    assert "no container" in checks[0].text


def test_a_wrong_port_fails_the_port_check_and_not_the_health_check() -> None:
    broken = replace(WELL, health="unhealthy", listeners=listeners("0.0.0.0:9000"))
    assert {check.name: check.verdict for check in judge_app(facts(broken))} == {
        CONTAINER: Verdict.OK,
        HEALTH: Verdict.UNKNOWN,
        NETWORK: Verdict.OK,
        PORT: Verdict.WRONG,
    }


def test_without_a_proxy_the_network_is_not_judged() -> None:
    network = judge_app(facts(WELL, proxy_networks=None))[2]
    assert (network.name, network.verdict) == (NETWORK, Verdict.UNKNOWN)


def test_of_several_containers_the_broken_one_is_reported() -> None:
    checks = judge_app(facts(WELL, replace(WELL, name="stack-web-2", listeners=listeners("0.0.0.0:1"))))
    assert "stack-web-2" in next(check.text for check in checks if check.verdict is Verdict.WRONG)


@pytest.mark.parametrize(("answers", "verdict"), [(True, Verdict.OK), (False, Verdict.WRONG), (None, Verdict.UNKNOWN)])
def test_without_readable_sockets_a_connection_decides(answers: bool | None, verdict: Verdict) -> None:
    checks = judge_app(facts(replace(WELL, listeners=None), answers=answers))
    assert {check.name: check.verdict for check in checks}[PORT] is verdict


@pytest.mark.parametrize(("answers", "verdict"), [(True, Verdict.OK), (False, Verdict.WRONG), (None, Verdict.UNKNOWN)])
def test_an_upstream_outside_compose_is_probed(answers: bool | None, verdict: Verdict) -> None:
    (check,) = judge_app(facts(server=Server(Endpoint("10.0.0.5", 8000)), answers=answers))
    assert (check.name, check.verdict) == (OUTSIDE, verdict)
    assert "10.0.0.5:8000" in check.text


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1"])
def test_the_proxys_own_container_is_not_this_host(host: str) -> None:
    (check,) = judge_app(facts(server=Server(Endpoint(host, 8000)), answers=True))
    assert "the proxy's own container" in check.text
    assert "172.17.0.1:8000" in (check.todo or "")


TCP = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0B00007F:B193 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3540546 1 0 100 0 0 10 0
   1: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3540952 1 0 100 0 0 10 0
   2: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3540953 1 0 100 0 0 10 0
   3: 0200090A:1F40 0100090A:CAFE 01 00000000:00000000 00:00000000 00000000     0        0 3540954 1 0 100 0 0 10 0
"""
TCP6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue
   0: 00000000000000000000000000000000:2328 00000000000000000000000000000000:0000 0A 00000000:00000000
   1: 00000000000000000000000001000000:2329 00000000000000000000000000000000:0000 0A 00000000:00000000
   2: 0000000000000000FFFF00000100007F:232A 00000000000000000000000000000000:0000 0A 00000000:00000000
"""


def test_the_kernels_tables_are_read() -> None:
    # Docker's own resolver at 127.0.0.11 and established connections are left out.
    assert [str(one) for one in parse_listeners(TCP, TCP6)] == [
        "127.0.0.1:80",
        "0.0.0.0:8000",
        "[::]:9000",
        "[::1]:9001",
        "127.0.0.1:9002",
    ]
    assert parse_listeners(TCP + TCP6) == parse_listeners(TCP, TCP6)
    assert parse_listeners("") == ()
