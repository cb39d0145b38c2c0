"""The page Requests, the log of a site, and the charts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from threading import Event
from time import monotonic

import pytest

from stackctl.errors import EngineError
from stackctl.model.values import Domain
from stackctl.proxies.logs import LoggedRequest
from stackctl.ui.tail import Tail
from stackctl.ui.traffic import MINUTES, Minute, Traffic
from stackctl.ui.views import requests as view
from stackctl.ui.views.charts import bars
from stackctl.usecases import logs
from tests.ui.conftest import Browser, text_of

NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
HOSTILE = "/<script>alert(1)</script>\u202e"


def logged(
    host: str = "one.example.com", target: str = "/", status: int = 200, client: str = "192.0.2.9", took: float = 0.01
) -> str:
    """A line as nginx writes it."""
    sent = target.encode().decode("latin-1")
    escaped = "".join(char if " " <= char <= "~" and char not in '"\\' else f"\\x{ord(char):02X}" for char in sent)
    return (
        f"nginx-1  | {client} - - [01/Aug/2026:11:59:30 +0000] {host} "
        f'"GET {escaped} HTTP/2.0" {status} 512 "-" "curl" {took:.3f} 10.9.0.3:8000 {"0" * 32}'
    )


def given(browser: Browser, *lines: str) -> Browser:
    """The page after it has read ``lines``; it follows nothing else."""
    tail = browser.ui.tail
    tail.start = lambda: None  # type: ignore[method-assign]
    printed = browser.world.fake.printed = {"one": [], "two": [], "nginx": [], "certbot": []}
    for line in lines:
        service, _, text = line.partition("-1  | ")
        printed[service].append(text)
    known = tail.read()
    for given_line in logs.logs(browser.world.host, logs.Query(tail=1000)):
        tail.take(known, given_line)
    return browser


def texts(tail: Tail) -> list[str]:
    return [event.value.text for event in tail.lines.events]


def until(there: Callable[[], bool]) -> None:
    """Wait for what a thread does."""
    deadline, waiting = monotonic() + 10, Event()
    while not there():
        assert not waiting.wait(0.01)
        assert monotonic() < deadline


def rows(page: str) -> list[str]:
    """The rows of the list, as text."""
    body = page.partition("<tbody")[2].partition("</tbody>")[0]
    return [text_of(row).strip() for row in body.partition(">")[2].split("</tr>") if row.strip()]


def test_requests_are_listed_the_newest_first(browser: Browser) -> None:
    given(browser, logged(target="/first"), logged("www.example.com", "/second", 502), logged("other.invalid", "/scan"))
    first, second, third = rows(browser.get("/requests"))
    assert "/scan" in first
    assert "other.invalid" in first
    assert "502" in second
    assert "one.example.com" in second
    assert "/first" in third
    assert "192.0.2.9" in third
    assert "10 ms" in third


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", "abcd"),
        ("site=one.example.com", "abd"),
        ("site=two.example.com", "c"),
        ("status=5", "b"),
        ("status=slow", "d"),
        ("client=2001:db8::7", "c"),
        ("text=/B", "b"),
        ("status=5&site=two.example.com", ""),
        ("status=nonsense", "abcd"),
    ],
)
def test_they_are_restricted_by_site_status_address_and_text(browser: Browser, query: str, found: str) -> None:
    given(
        browser,
        logged(target="/a"),
        logged(target="/b", status=500),
        logged("two.example.com", "/c", client="2001:db8::7"),
        logged(target="/d", took=2.5),
    )
    shown = rows(browser.get(f"/requests?{query}"))
    assert sorted(row.split("GET /")[1][0] for row in shown) == list(found)
    browser.ui.tail.lines.close()
    sent = browser.client.get(f"/requests/live?{query}").text
    assert sorted(part[0] for part in text_of(sent).split("GET /")[1:]) == list(found)


def test_what_clients_send_is_escaped(browser: Browser) -> None:
    given(browser, logged(HOSTILE, HOSTILE, client=HOSTILE), f"one-1  | {HOSTILE}")
    browser.ui.tail.lines.close()
    for path in ("/requests", "/requests/live", "/sites/one.example.com", "/sites/one.example.com/log"):
        shown = browser.get(path)
        assert "<script>alert" not in shown
        assert "\u202e" not in shown
    assert "&lt;script&gt;" in browser.get("/requests")


def test_what_stands_out_is_above_the_list(browser: Browser) -> None:
    given(browser, *[logged(target="/broken", status=502)] * 3, logged(target="/report", took=4), logged(status=404))
    shown = text_of(browser.get("/requests"))
    for text in ("5 requests", "1 refused (4xx)", "3 failed (5xx)", "/broken 3", "/report 4.0 s", "one.example.com 5"):
        assert text in shown


def test_the_log_of_a_site_has_its_services_and_what_the_proxy_says_about_it(browser: Browser) -> None:
    error = "connect() failed (111: Connection refused) while connecting to upstream"
    where = 'client: 192.0.2.9, server: one.example.com, request: "GET / HTTP/1.1", host: "one.example.com"'
    given(
        browser,
        "one-1  | one says hello",
        "two-1  | two says hello",
        logged(target="/mine"),
        logged("two.example.com", "/other"),
        f"nginx-1  | 2026/08/01 11:59:59 [error] 7#7: *1 {error}, {where}",
        "nginx-1  | 2026/08/01 11:59:59 [notice] 1#1: signal 1 (SIGHUP) received from 9, reconfiguring",
    )
    shown = browser.get("/sites/one.example.com").partition('<ol class="log"')[2].partition("</ol>")[0]
    for text in ("one says hello", "/mine", "Connection refused"):
        assert text in shown
    for text in ("two says hello", "/other", "SIGHUP"):
        assert text not in shown


def test_the_output_is_followed_once_and_asked_for_again_after_a_failure(browser: Browser) -> None:
    calls: list[str] = []

    def opened() -> object:
        calls.append("opened")
        if len(calls) == 1:  # the engine is not there yet
            raise EngineError("the Docker Engine does not answer")
        return browser.world.host

    tail = Tail(opened)  # type: ignore[arg-type]
    tail.start()
    tail.start()
    until(lambda: "does not answer" in str(tail.problem))
    tail.forget()
    until(lambda: "one says hello" in texts(tail))
    tail.stop()
    assert tail.problem is None
    assert texts(tail).count("one says hello") == 1


def test_sites_have_a_chart_of_their_requests(browser: Browser) -> None:
    given(browser, logged(), logged(status=500), logged("two.example.com"))
    shown = browser.get("/?sort=errors")
    assert shown.index("one.example.com") < shown.index("two.example.com")
    assert 'aria-label="2 requests, 1 error in the last 1 minute"' in shown
    assert "2 requests," in text_of(shown)
    assert "1 error" in text_of(shown)


def test_requests_are_counted_by_minute_for_an_hour() -> None:
    traffic = Traffic()
    assert traffic.covers(NOW) == 0
    for minutes, status in ((0, 200), (0, 500), (1, 0), (59, 200), (60, 200), (500, 200)):
        traffic.add("a", NOW - timedelta(minutes=minutes), status)
    seen = traffic.of("a", NOW)
    assert len(seen) == MINUTES
    assert seen[-1] == Minute(2, 1)
    assert seen[-2] == Minute(1, 1)
    assert seen[0] == Minute(1, 0)
    assert sum(minute.requests for minute in seen) == 4
    assert traffic.of("b", NOW) == [Minute()] * MINUTES
    assert traffic.covers(NOW) == MINUTES


def test_a_client_cannot_make_the_counts_grow() -> None:
    traffic = Traffic()
    for minute in range(10_000):
        traffic.add("a", NOW + timedelta(minutes=minute), 200)
    assert len(traffic._sites["a"]) <= MINUTES


def test_a_chart_shows_what_failed_however_little_and_escapes_its_words() -> None:
    drawn = bars([(1000, 1), (0, 0), (10, 10)], '"><script>')
    assert drawn.count("<rect") == 4
    assert 'class="error" x="0" y="26.5"' in drawn
    assert "<script>" not in drawn
    assert bars([], "none").count("<rect") == 0


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, ""), (0.0, "0 ms"), (0.0084, "8 ms"), (1.24, "1.2 s"), (3600, "3,600.0 s")]
)
def test_durations_are_written_for_people(seconds: float | None, text: str) -> None:
    assert view.took(seconds) == text


def test_a_request_that_is_no_http_has_a_row() -> None:
    odd = LoggedRequest(NOW, "192.0.2.9", None, "", "\x16\x03\x01", 400, 0)
    row = view.row_of(view.Entry(odd, None))
    assert (row.site, row.target, row.status, row.is_routed) == ("-", "\x16\x03\x01", "400", False)
    assert view.row_of(view.Entry(odd, Domain("a.example.com"))).is_routed
