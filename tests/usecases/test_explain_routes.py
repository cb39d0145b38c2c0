"""``explain`` of a site with several routes: which one answers, and why each earlier one does not."""

from __future__ import annotations

from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from stackctl.engine.probe import trace
from stackctl.errors import ExitCode, InputError
from stackctl.model.fields import Request
from stackctl.model.pages import Maintenance
from stackctl.model.request_values import client, header
from stackctl.model.values import Domain
from stackctl.observed.reply import Reply
from stackctl.usecases.explain import explain
from stackctl.usecases.maintenance import maintenance_off, maintenance_on
from tests.usecases.world import World, data, done

NAME = Domain("one.example.com")
ROUTES = """
      routes:
        - {path: /api, strip: true, port: 8000}
        - {path: /closed, deny: all}
        - {match: {path: /v2, method: POST}, port: 8000, priority: 5}
        - {match: {header: {x-version: "~^2"}}, port: 8000}
        - {match: {source: 192.0.2.0/24}, redirect: "https://inside.example.com/"}
"""


@pytest.fixture
def routed(site: World, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(trace, "LOG_SECONDS", 0.0)
    block = next(line for line in site.text.splitlines() if line.strip() == "port: 8000")
    site.edit(f"{block}\n", f"{block}{ROUTES}")
    done(site.up())
    return site


def explained(world: World, request: Request) -> dict[str, Any]:
    result = explain(world.host, NAME, request)
    shown = data(result)
    assert result.code is (ExitCode.OK if shown["whole"] else ExitCode.FAILED)
    return shown


def link(shown: dict[str, Any], name: str) -> dict[str, Any]:
    (found,) = [row for row in shown["links"] if row["link"] == name]
    return dict(found)


def test_the_route_is_named_by_its_line_and_each_earlier_one_by_what_it_asks(routed: World) -> None:
    shown = explained(routed, Request("GET", "/api/a%2Fb?c"))
    assert shown["route"] == {
        "where": routed.line_of("path: /api, strip"),
        "match": "path /api",
        "action": "one:8000",
        "rule": False,
        "prefix": "/api",
        "seen": "/a%2Fb?c",
    }
    assert shown["earlier"] == [
        {
            "where": routed.line_of("priority: 5"),
            "match": "path /v2, method POST",
            "why": "the path is /api/a/b, not below /v2",
        },
        {
            "where": routed.line_of("x-version"),
            "match": "header x-version ~^2",
            "why": "there is no header x-version",
        },
        {
            "where": routed.line_of("source:"),
            "match": "from 192.0.2.0/24",
            "why": "the client's address is not known, not in 192.0.2.0/24",
        },
    ]
    assert (shown["sent"], shown["whole"], shown["method"]) == (True, True, "GET")
    assert link(shown, "route")["text"] == "path /api: one:8000, which gets /a%2Fb?c"
    assert link(shown, "location")["text"] == "location ^~ /api/"
    assert [row["link"] for row in shown["links"]][2:5] == ["certificate", "route", "server"]


def test_a_header_leads_to_the_location_of_its_rule(routed: World) -> None:
    shown = explained(routed, Request("GET", "/api", (("X-Version", "2.1"),)))
    assert (shown["route"]["where"], shown["route"]["rule"]) == (routed.line_of("x-version"), True)
    assert link(shown, "location")["text"].startswith("location @stackctl_")


@pytest.mark.parametrize(
    ("request_", "line", "why"),
    [
        (Request("POST", "/v2"), "priority: 5", "POST may change something, so the request is not sent"),
        (
            Request("GET", "/", source=ip_address("192.0.2.7")),
            "source:",
            "only 192.0.2.7 can send from that address, so the request is not sent",
        ),
    ],
)
def test_what_must_not_or_cannot_be_sent_is_traced_in_the_files(
    routed: World, request_: Request, line: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routed.fake, "ask", lambda *_, **__: pytest.fail("it is sent"))
    shown = explained(routed, request_)
    assert shown["route"]["where"] == routed.line_of(line)
    assert (shown["sent"], shown["status"], shown["whole"]) == (False, None, True)
    assert {"port", "certificate", "answer", "port 80"}.isdisjoint(row["link"] for row in shown["links"])
    assert explain(routed.host, NAME, request_).notes == (f"{why}: this is what the files say",)


def test_an_answer_that_the_route_says_is_no_fault(routed: World) -> None:
    routed.fake.looks.replies[f"{NAME}/closed/x"] = Reply(403)
    shown = explained(routed, Request("GET", "/closed/x"))
    assert (shown["whole"], shown["route"]["action"]) == (True, "403, by the proxy itself")
    assert link(shown, "answer")["text"] == "403, by the proxy itself, as the route says"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("/%zz", "the proxy answers 400: the path cannot be decoded"),
        ("//api/x", "path /api: one:8000"),
    ],
)
def test_a_path_that_the_proxy_refuses_is_the_broken_hop(routed: World, target: str, text: str) -> None:
    routed.fake.looks.replies[f"{NAME}{target}"] = Reply(400)
    shown = explained(routed, Request("GET", target))
    assert (shown["broken"]["link"], shown["broken"]["text"]) == ("route", text)


def test_a_path_without_an_owner_is_the_broken_hop(routed: World) -> None:
    block = next(line for line in routed.text.splitlines() if line.strip() == "port: 8000")
    routed.edit(f"{block}\n", f"{block}\n{block.replace('port: 8000', 'path: /only')}\n")
    done(routed.up())
    routed.fake.looks.replies[f"{NAME}/x"] = Reply(404)
    broken = explained(routed, Request("GET", "/x"))["broken"]
    assert (broken["link"], broken["text"]) == ("route", "404: no route has the path /x")
    assert broken["todo"] == "add a route for it, or one for '/'"


@pytest.mark.parametrize(
    "text", ["", "X-Version", "X_Version: 1", "a b: c", "Host: x", "content-length: 3", "X: a\nb", f"X: {'y' * 9000}"]
)
def test_a_header_that_cannot_be_sent_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        header(text)


@pytest.mark.parametrize("text", ["", "192.0.2", "192.0.2.0/24", "fe80::1%eth0", "one.example.com"])
def test_an_address_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        client(text)


def test_a_header_and_an_address_are_taken_in_their_usual_forms() -> None:
    assert header("X-Version:  2.1 ") == ("X-Version", "2.1")
    assert header("Cookie: a=b") == ("Cookie", "a=b")
    assert client("[2001:db8::7]") == ip_address("2001:db8::7")
    assert client("::ffff:192.0.2.7") == ip_address("192.0.2.7")


INSIDE, OUTSIDE = ip_address("192.0.2.7"), ip_address("198.51.100.7")
LATER = datetime(2100, 1, 1, tzinfo=UTC)
ALLOW = (ip_network("192.0.2.0/24"),)


@pytest.mark.parametrize(
    ("wanted", "request_", "whole"),
    [
        (Maintenance(), Request("POST", "/"), False),
        (Maintenance(allow=ALLOW), Request("POST", "/"), False),
        (Maintenance(allow=ALLOW), Request("GET", "/", source=OUTSIDE), False),
        (Maintenance(allow=ALLOW), Request("GET", "/", source=INSIDE), True),
        (Maintenance(until=LATER, allow=ALLOW), Request("GET", "/", source=OUTSIDE), False),
        (Maintenance(until=LATER, allow=ALLOW), Request("GET", "/", source=INSIDE), True),
    ],
)
def test_a_maintenance_is_told_of_what_is_not_sent(
    site: World, wanted: Maintenance, request_: Request, whole: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    done(maintenance_on(site.host, NAME, wanted))
    monkeypatch.setattr(site.fake, "ask", lambda *_, **__: pytest.fail("it is sent"))
    shown = explained(site, request_)
    assert (shown["sent"], shown["whole"]) == (False, whole)
    if not whole:
        assert shown["broken"]["text"].startswith("503, in maintenance: ")
        assert shown["broken"]["todo"] == f"'stackctl maintenance off {NAME}' ends it"


def test_a_maintenance_that_is_not_live_or_has_ended_closes_nothing(site: World) -> None:
    done(maintenance_on(site.host, NAME, Maintenance(until=LATER)))
    site.clock.now = LATER
    assert explained(site, Request("POST", "/"))["whole"]
    done(maintenance_off(site.host, NAME))
    block = next(line for line in site.text.splitlines() if line.strip() == "port: 8000")
    site.edit(f"{block}\n", f"{block}\n      maintenance: {{}}\n")
    assert explained(site, Request("POST", "/"))["whole"]


@pytest.mark.parametrize("in_maintenance", [False, True])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_redirect_to_the_canonical_name_is_that_of_the_proxy(site: World, method: str, in_maintenance: bool) -> None:
    site.edit(
        "        - one.example.com\n",
        "        - one.example.com\n        - www.one.example.com\n      canonical: www.one.example.com\n",
    )
    done(site.up())
    if in_maintenance:
        done(maintenance_on(site.host, NAME, Maintenance()))
    site.fake.looks.replies[f"{NAME}/x"] = Reply(308, location="https://www.one.example.com/x")
    shown = explained(site, Request(method, "/x"))
    assert shown["whole"]
    assert link(shown, "location")["text"] == "return 308 https://www.one.example.com$request_uri"
    assert {"upstream", "container"}.isdisjoint(row["link"] for row in shown["links"])
    if method == "GET":
        assert link(shown, "answer")["text"] == "308 to https://www.one.example.com/x, by the proxy itself"


LIMITS = """
      connections: 9
      rate-limit:
        - {requests: 10/m, burst: 3, paths: [/login]}
        - {requests: 90/s, by: all}
      routes:
        - {path: /free, rate-limit: [], connections: 0}
        - {path: /closed, deny: all}
"""


def test_each_limit_of_a_request_is_named_by_its_line(site: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace, "LOG_SECONDS", 0.0)
    block = next(line for line in site.text.splitlines() if line.strip() == "port: 8000")
    site.edit(f"{block}\n", f"{block}{LIMITS}")
    done(site.up())

    def limits(path: str) -> list[tuple[str, str]]:
        shown = explained(site, Request("GET", path))
        return [(row["text"], row["where"]) for row in shown["links"] if row["link"] == "limit"]

    everyone = ("90/s of all clients together, and 90 more at once", site.line_of("requests: 90/s"))
    file, _, line = site.line_of("- one.example.com").partition(":")
    at_once = ("9 requests of a client at the same time", f"{file}:{int(line) - 2}")
    login = "10/m of each client below /login, and 3 more at once", site.line_of("requests: 10/m")
    assert limits("/login/x") == [login, everyone, at_once]
    assert limits("/logins") == [everyone, at_once]
    assert limits("/free") == limits("/closed") == []
