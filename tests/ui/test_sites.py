"""The pages Sites and Site."""

from __future__ import annotations

from dataclasses import replace
from time import monotonic
from urllib.parse import quote

import pytest

from stackctl.model.values import Domain
from stackctl.ui.snapshot import Snapshot
from stackctl.ui.views import sites as view
from stackctl.ui.views.words import Tone
from stackctl.usecases.status import RouteStatus, SiteStatus, StatusReport, status
from tests.ui.conftest import Browser, text_of

HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>\u202eevil\x1b[2J"


def site(name: str, **more: object) -> SiteStatus:
    basis = SiteStatus(
        name=Domain(name),
        aliases=(),
        upstream="web:8000",
        health="running",
        issuer="Fake CA",
        not_after=None,
        days_left=60,
        certificate_problem=None,
        served="real",
        routes=(RouteStatus("/", "web:8000", "running", "docker-compose.yml:3"),),
    )
    return replace(basis, **more)  # type: ignore[arg-type]


def showing(browser: Browser, report: StatusReport) -> Browser:
    """The page after it has seen ``report``."""
    browser.ui.status = Snapshot(lambda: report)
    return browser


def test_each_site_is_a_row(browser: Browser) -> None:
    shown = text_of(browser.get("/"))
    for text in ("one.example.com www.example.com Fine one:8000 Running", "90 days left Fake CA · on the wire"):
        assert text in shown
    assert "2 sites" in shown


@pytest.mark.parametrize(
    ("more", "state", "tone"),
    [
        ({}, "Fine", Tone.OK),
        ({"parked": "a directive is wrong"}, "Parked", Tone.BAD),
        ({"served": "nothing"}, "Not served", Tone.BAD),
        ({"health": "exited"}, "Down", Tone.BAD),
        ({"health": "exited", "maintenance": "in maintenance"}, "Down", Tone.BAD),
        ({"maintenance": "in maintenance"}, "Maintenance", Tone.QUIET),
        ({"served": "dummy", "days_left": None}, "Certificate", Tone.WARN),
        ({"ending": "nothing renews it"}, "Certificate", Tone.WARN),
        ({"health": "starting"}, "Starting", Tone.WARN),
        ({"days_left": 3}, "Expires soon", Tone.WARN),
        ({"served": "http", "days_left": 3}, "Fine", Tone.OK),
    ],
)
def test_the_state_is_the_worst_that_is_to_be_said(more: dict[str, object], state: str, tone: Tone) -> None:
    row = view.row_of(site("a.example.com", **more))
    assert (row.state.text, row.state.tone) == (state, tone)


def test_the_list_is_filtered_and_sorted() -> None:
    rows = [
        view.row_of(one)
        for one in (
            site("b.example.com", days_left=5),
            site("a.example.com", aliases=("shop.example.com",)),
            site("c.example.com", health="exited", days_left=None),
        )
    ]

    def names(**values: str) -> str:
        return "".join(row.name[0] for row in view.chosen(rows, view.Query.of(values)))

    assert names() == "cba"
    assert names(sort="name") == "abc"
    assert names(sort="expiry") == "bac"
    assert names(q="SHOP") == "a"
    assert names(state="bad") == "c"
    assert names(q="web:8000", sort="nonsense", state="nonsense", page="-1") == "cba"


def test_a_thousand_sites_are_there_within_a_second(browser: Browser) -> None:
    many = tuple(site(f"s{number}.example.com") for number in range(1000))
    showing(browser, StatusReport("sites", "running", many))
    browser.get("/")
    times: list[float] = []
    for _ in range(3):  # other tests may hold the processor for a moment
        started = monotonic()
        shown = browser.get("/?sort=name")
        times.append(monotonic() - started)
    assert min(times) < 1
    assert shown.count('<th scope="row">') == view.ROWS
    assert "s999.example.com" in browser.get("/?page=5")
    assert "s77.example.com" in browser.get("/?q=s77.")


def test_what_a_stranger_or_the_file_controls_is_escaped(browser: Browser) -> None:
    bad = site(HOSTILE, aliases=(HOSTILE,), upstream=HOSTILE, health=HOSTILE, issuer=HOSTILE, parked=HOSTILE)
    showing(browser, StatusReport(HOSTILE, HOSTILE, (bad,), deploying=(HOSTILE,)))
    for path in ("/", f"/?q={quote(HOSTILE)}", "/sites/one.example.com?at=<script>alert(1)</script>"):
        shown = browser.client.get(path).text
        assert "<script>alert" not in shown
        assert "<img src=x" not in shown
        assert "\u202e" not in shown
        assert "\x1b" not in shown


def test_a_stack_without_sites_says_how_to_add_one(browser: Browser) -> None:
    showing(browser, StatusReport("sites", "running", ()))
    assert "stackctl add-app" in browser.get("/")


def test_a_file_that_cannot_be_read_is_shown_with_its_place(browser: Browser) -> None:
    path = browser.world.root / "docker-compose.yml"
    path.write_text(path.read_text().replace("domains:", "domainz:", 1))
    response = browser.client.get("/")
    assert response.status_code == 409
    assert "docker-compose.yml:" in response.text
    assert "domainz" in response.text


def test_a_slow_stack_is_looked_at_beside_the_page(browser: Browser) -> None:
    answer = status(browser.ui.context()).payload
    browser.ui.status = Snapshot(lambda: answer)
    shown = browser.get("/")
    assert "seen just now" in shown
    browser.ui.status = _Never()
    started = monotonic()
    assert "Looking at the stack" in browser.get("/")
    assert monotonic() - started < 1


class _Never(Snapshot[StatusReport]):
    def __init__(self) -> None:
        super().__init__(lambda: StatusReport("", "", ()))

    def _fetch(self, done: object) -> None:
        """No answer comes."""


def test_a_site_shows_the_way_of_a_request(browser: Browser) -> None:
    shown = text_of(browser.get("/sites/one.example.com"))
    for text in ("name", "certificate", "one:8000, by proxy_pass", "200, by the app", "docker-compose.yml:"):
        assert text in shown
    assert browser.client.get("/sites/www.example.com").headers["location"] == "/sites/one.example.com"
    other = browser.client.get("/sites/none.example.com")
    assert other.status_code == 400
    assert "not routed" in other.text
