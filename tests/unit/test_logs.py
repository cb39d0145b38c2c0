"""Lines of both proxies' logs, in both formats, as values."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stackctl.errors import InputError
from stackctl.model.values import Domain
from stackctl.proxies.haproxy.proxy import Haproxy
from stackctl.proxies.logs import LoggedRequest
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.usecases.logs import Line, Query, statuses
from stackctl.usecases.logs_top import top

AT = datetime(2026, 11, 27, 21, 34, 45, tzinfo=UTC)
ID = "0123456789abcdef0123456789abcdef"
OBJECT = {
    "time": "2026-11-27T21:34:45+00:00",
    "id": ID,
    "site": "a.example.com",
    "client": "192.0.2.7",
    "user": "",
    "host": "A.example.com",
    "request": "GET /x?y=1 HTTP/2.0",
    "status": 502,
    "bytes": 157,
    "seconds": 0.012,
    "upstream": "172.18.0.3:8000, 172.18.0.4:8000",
    "referer": "",
    "agent": 'curl "8"',
}
REQUEST = LoggedRequest(
    time=AT,
    client="192.0.2.7",
    user=None,
    host="a.example.com",
    request="GET /x?y=1 HTTP/2.0",
    status=502,
    bytes=157,
    seconds=0.012,
    upstream="172.18.0.3:8000, 172.18.0.4:8000",
    agent='curl "8"',
    id=ID,
)
TEXT = (
    '192.0.2.7 - - [27/Nov/2026:21:34:45 +0000] A.example.com "GET /x?y=1 HTTP/2.0" 502 157 "-" "curl \\x228\\x22"'
    " 0.012 172.18.0.3:8000, 172.18.0.4:8000"
)
UUID = "8b1a3f0e-0000-4000-8000-1234567890ab"
HAPROXY = (
    '192.0.2.7 - - [27/Nov/2026:21:34:45.000] a.example.com "GET /x?y=1 HTTP/2.0" 503 217 "" "curl" 3 -:- SC--'
    " a.example.com/<NOSRV>"
)


def test_nginx_writes_both_formats_with_an_id_and_earlier_versions_wrote_none() -> None:
    read = Nginx().logged_request
    assert read(f"{TEXT} {ID}") == read(json.dumps(OBJECT)) == REQUEST
    earlier = read(TEXT)
    assert earlier is not None
    assert (earlier.id, earlier.upstream) == (None, REQUEST.upstream)
    assert (REQUEST.method, REQUEST.target, REQUEST.path) == ("GET", "/x?y=1", "/x")


def test_haproxy_writes_both_formats_too() -> None:
    haproxy = Haproxy()
    found = haproxy.logged_request(f"{HAPROXY} {UUID}")
    assert found is not None
    assert (found.time, found.seconds, found.upstream, found.id, found.state) == (AT, 0.003, None, UUID, "SC--")
    wanted = {name: value for name, value in OBJECT.items() if name != "seconds"}
    written = json.dumps({**wanted, "milliseconds": 3, "state": "SC--", "backend": "a.example.com/<NOSRV>"})
    (text,), (as_object,) = haproxy.logged_errors(f"{HAPROXY}\n"), haproxy.logged_errors(f"{written}\n")
    assert text.message == as_object.message == "the connection to the server failed"
    assert text.host == as_object.host == "a.example.com"


def test_haproxy_says_which_requests_it_refused_for_their_number() -> None:
    (refused,) = Haproxy().logged_errors(f"{HAPROXY.replace(' 503 ', ' 429 ').replace('SC--', 'PR--')} {UUID}")
    advice = Haproxy().advice(refused.message)
    assert advice.refused
    assert "rate-limit" in advice.todo
    assert not Haproxy().logged_errors(f"{HAPROXY.replace(' 503 ', ' 429 ').replace('SC--', '----')} {UUID}")


def test_what_is_no_request_is_none() -> None:
    for kind in (Nginx(), Haproxy()):
        for line in ("", "{", "[]", '{"time": 1}', "2026/11/27 01:00:01 [notice] 1#1: start", json.dumps({"a": 1})):
            assert kind.logged_request(line) is None
        for name, value in (
            *(("time", "yesterday"), ("time", "0001-01-01T00:00:00+14:00"), ("time", "9999-12-31T23:59:59-14:00")),
            *(("status", "x"), ("status", inf), ("bytes", None), ("bytes", -inf)),
            *(("seconds", "x"), ("seconds", nan), ("seconds", inf), ("milliseconds", inf)),
        ):
            assert kind.logged_request(json.dumps({**OBJECT, name: value})) is None


def test_a_user_that_looks_like_the_rest_of_a_line_does_not_hide_it() -> None:
    forged = "x [27/Nov/2026:21:34:45 +0000] b.example.com \\x22GET / HTTP/1.1\\x22 200 5"
    found = Nginx().logged_request(f"{TEXT.replace(' - - ', f' - {forged} ')} {ID}")
    assert found is not None
    assert (found.host, found.status) == ("a.example.com", 502)
    assert found.user == forged.replace("\\x22", '"')


@given(st.text(max_size=60))
def test_no_line_is_an_error(text: str) -> None:
    for kind in (Nginx(), Haproxy()):
        for line in (text, f"{{{text}", f"{TEXT} {text}", json.dumps({**OBJECT, "request": text, "time": text})):
            kind.logged_request(line)


@pytest.mark.parametrize(
    ("name", "concerns"), [("a.example.com", True), ("*.example.com", True), ("b.example.com", False)]
)
def test_lines_are_about_the_site_of_their_host(name: str, concerns: bool) -> None:
    for kind, line in ((Nginx(), json.dumps(OBJECT)), (Nginx(), TEXT), (Haproxy(), HAPROXY)):
        assert kind.concerns(line, [name]) is concerns


@pytest.mark.parametrize(
    ("text", "found"), [("404", [404]), ("5xx", range(500, 600)), ("400-402, 503", [400, 401, 402, 503])]
)
def test_ranges_of_statuses(text: str, found: Any) -> None:
    assert [status for one in statuses(text) for status in one] == [*found]


@pytest.mark.parametrize("text", ["", "6xx", "200-", "2xx-3xx", "99"])
def test_what_is_no_range(text: str) -> None:
    with pytest.raises(InputError, match="is no status"):
        statuses(text)


def line(**changes: Any) -> Line:
    made = {name: getattr(REQUEST, name) for name in LoggedRequest.__slots__}
    return Line("", "nginx-1", LoggedRequest(**{**made, **changes}), Domain("a.example.com"))


def test_only_some_requests_are_wanted() -> None:
    slow = Query(slower=0.5)
    assert [slow.wants(one.request) for one in (line(seconds=0.5), line(), line(seconds=None)) if one.request] == [
        True,
        False,
        False,
    ]
    assert Query().read == 100
    assert [Query(tail=5).read, Query(since=9).read, slow.read, Query(requests=True).read] == [5, None, None, None]


def test_the_top_of_a_log() -> None:
    lines = [line(seconds=9.0), line(request="GET / HTTP/1.1", status=200, client="::1"), line(), Line("x", "web-1")]
    found = top(lines)
    assert (found.requests, found.statuses) == (3, {"2xx": 1, "5xx": 2})
    assert [(one.what, one.requests, one.errors) for one in found.paths] == [
        ("a.example.com/x", 2, 2),
        ("a.example.com/", 1, 0),
    ]
    assert [one.what for one in found.clients] == ["192.0.2.7", "::1"]
    assert [one.what for one in found.errors] == ["a.example.com/x"]
    assert found.slowest[0].seconds == 9.0


def test_a_scan_of_any_number_of_paths_is_counted_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackctl.usecases.logs_top._MOST", 10)
    often = [line(request="GET /often HTTP/1.1")] * 3
    found = top([*often, *(line(request=f"GET /{number} HTTP/1.1") for number in range(100)), *often])
    assert (found.requests, found.paths[0].requests) == (106, 6)
    assert len(found.paths) <= 10
