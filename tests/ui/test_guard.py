"""What is refused: other users, other sites, forged forms."""

from __future__ import annotations

import pytest
from starlette.routing import Route

from stackctl.certs.watch.exposition import CONTENT_TYPE
from stackctl.errors import HostError
from stackctl.ui.app import PAGES
from stackctl.ui.door import COOKIE, TOKEN
from stackctl.ui.guard import BACKGROUND, HEADERS, MOST_BYTES
from stackctl.ui.serve import listening, serve
from tests.ui.conftest import ORIGIN, Browser
from tests.usecases.world import World


def posts(browser: Browser) -> list[str]:
    """The addresses of all forms that may change something."""
    routes = [route for page in PAGES for route in page.routes(browser.ui)]
    found = [one for one in routes if isinstance(one, Route) and "POST" in (one.methods or ())]
    return [one.path.replace("{kind}", "deploy").replace("{id}", "x") for one in found]


def test_the_link_works_once(world: World) -> None:
    browser = Browser(world, opened=False)
    assert browser.client.get("/").status_code == 403
    first = browser.client.get(f"/login?t={browser.ui.door.link}")
    assert (first.status_code, first.headers["location"]) == (303, "/")
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert browser.client.get("/").status_code == 200
    again = browser.another().get(f"/login?t={browser.ui.door.link}")
    assert again.status_code == 403
    assert "set-cookie" not in again.headers
    assert browser.client.get("/").status_code == 200


@pytest.mark.parametrize("token", ["", "x", "é", "%00"])
def test_another_link_opens_nothing(world: World, token: str) -> None:
    browser = Browser(world, opened=False)
    assert browser.client.get(f"/login?t={token}").status_code == 403
    assert browser.client.get(f"/login?t={browser.ui.door.link}").status_code == 303


@pytest.mark.parametrize("cookie", [None, f"{COOKIE}=", f"{COOKIE}=x", "other=1", '"'])
def test_without_the_session_nothing_of_the_stack_is_shown(browser: Browser, cookie: str | None) -> None:
    client = browser.another()
    headers = {} if cookie is None else {"Cookie": cookie}
    for path in ("/", "/sites/one.example.com", "/jobs/x/steps", "/nowhere", "/metrics"):
        response = client.get(path, headers=headers)
        assert response.status_code == 403
        assert "example.com" not in response.text
    assert client.post("/change/deploy", headers={"Origin": ORIGIN}).status_code == 403


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("127.0.0.1:8976", 200),
        ("localhost:9000", 200),
        ("[::1]:8976", 200),
        ("LOCALHOST", 200),
        ("evil.example.com", 421),
        ("127.0.0.1.evil.example.com:8976", 421),
        ("evil.example.com#127.0.0.1", 421),
        ("192.0.2.1:8976", 421),
        ("", 421),
        ("[::1", 421),
    ],
)
def test_only_names_of_this_host_are_answered(browser: Browser, host: str, code: int) -> None:
    assert browser.client.get("/", headers={"Host": host}).status_code == code


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example.com", "https://127.0.0.1:8976", "http://127.0.0.1:1", ""]
)
def test_a_form_of_another_site_is_refused(browser: Browser, origin: str | None) -> None:
    headers = {} if origin is None else {"Origin": origin}
    for path in posts(browser):
        response = browser.client.post(path, data={TOKEN: browser.ui.door.token}, headers=headers)
        assert response.status_code == 403
        assert "another site" in response.text


@pytest.mark.parametrize("token", [None, "", "x", "é"])
def test_every_form_needs_the_token(browser: Browser, token: str | None) -> None:
    assert posts(browser)
    for path in posts(browser):
        data = {"name": "one.example.com", **({} if token is None else {TOKEN: token})}
        response = browser.client.post(path, data=data, headers={"Origin": ORIGIN})
        assert response.status_code == 403
        assert "token" in response.text
    assert not browser.ui.desk.drafts.all


def test_a_page_that_only_shows_refuses_every_form_and_has_none(world: World) -> None:
    browser = Browser(world, write=False)
    for path in posts(browser):
        response = browser.post(path, name="one.example.com")
        assert response.status_code == 403
        assert "--write" in response.text
    for page in ("/", "/sites/one.example.com"):
        shown = browser.get(page)
        assert 'method="post"' not in shown
        assert "Read-only" in shown


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_other_methods_are_refused(browser: Browser, method: str) -> None:
    response = browser.client.request(method, "/")
    assert response.status_code == 405
    assert "access-control-allow-origin" not in response.headers


def test_a_form_that_is_too_large_or_unreadable_is_refused(browser: Browser) -> None:
    large = browser.client.post("/change/deploy", content=b"x" * (MOST_BYTES + 1), headers={"Origin": ORIGIN})
    assert large.status_code == 413
    kind = {"Origin": ORIGIN, "Content-Type": "multipart/form-data"}
    assert browser.client.post("/change/deploy", content=b"--x", headers=kind).status_code == 400


@pytest.mark.parametrize(
    "path", ["/", "/login", "/static/style.css", "/nowhere", "/sites/none.example.com", "/metrics"]
)
def test_every_response_has_the_security_headers(browser: Browser, path: str) -> None:
    response = browser.client.get(path)
    assert {name: response.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in response.headers["content-security-policy"]
    assert response.headers["cache-control"] == "no-store"


def test_nothing_is_inline_and_nothing_comes_from_elsewhere(browser: Browser) -> None:
    for path in ("/", "/sites/one.example.com"):
        shown = browser.get(path)
        assert "<style" not in shown
        assert " style=" not in shown
        assert "<script>" not in shown
        assert " onclick" not in shown
        assert 'src="http' not in shown
        assert 'href="http' not in shown.replace('href="https://one.example.com/"', "")


def test_metrics_are_open_to_prometheus_only_if_the_user_says_so(browser: Browser) -> None:
    prometheus = browser.another()
    assert prometheus.get("/metrics").status_code == 403
    browser.ui.open_metrics = True
    response = prometheus.get("/metrics")
    assert response.headers["content-type"] == CONTENT_TYPE
    assert 'name="one.example.com"' in response.text
    assert prometheus.get("/").status_code == 403
    assert prometheus.get("/metrics", headers={"Host": "evil.example.com"}).status_code == 421


def test_it_ends_when_it_was_not_used_for_long(browser: Browser) -> None:
    ready: list[str] = []
    with listening("127.0.0.1", 0) as listener:
        was_idle = serve(
            browser.ui, listener, ready=lambda: ready.append(listener.place.link("x")), leave=lambda: None, idle=0.05
        )
    assert was_idle
    assert ready == [f"http://127.0.0.1:{listener.place.port}/login?t=x"]


def test_a_port_that_is_taken_is_refused_in_words() -> None:
    refused = pytest.raises(HostError, match="cannot listen on port")
    with listening("127.0.0.1", 0) as first, refused, listening("127.0.0.1", first.place.port):
        pass


def test_what_the_page_asks_by_itself_is_no_activity(browser: Browser) -> None:
    before = browser.seen
    browser.client.get("/", headers={BACKGROUND: "1"})
    browser.another().get("/")
    assert browser.seen == before
    browser.client.get("/")
    assert browser.seen == before + 1
