"""A real proxy counts, sets headers and compresses as a site says, in each location and in pages of errors."""

from __future__ import annotations

import gzip
import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_network
from pathlib import Path
from threading import Barrier, Thread

import pytest

from stackctl.model.access import Access
from stackctl.model.backends import Backend
from stackctl.model.blocked import Blocked
from stackctl.model.headers import Changes, Headers, Hsts, Preset
from stackctl.model.limits import CountedBy, Rate
from stackctl.model.matching import Conditions, FieldMatch, Match, PathMatch, Text
from stackctl.model.pages import ErrorPages, PageFile
from stackctl.model.routing import Answer, Redirect, Route, Site
from stackctl.model.tuning import Tuning
from stackctl.proxies.nginx.layout import custom_site
from tests.e2e.helpers import wait_until
from tests.integration import real_haproxy
from tests.integration.real_nginx import Answered, Connection, Ports, app, free_ports, serving, wait_for_line, write
from tests.unit.build import routed

pytestmark = pytest.mark.e2e

SLOW = Rate(1, 60, 2)
"""A limit that is used up by three requests, and that nothing gives back within a test."""

VALUE = 'say "$1" \\ ${remote_addr}; {x}'
"""What nginx would read as a variable, a quote, an escape and the end of a directive."""

OWN = b"""\
location /own/ {
    add_header X-Own "1" always;
    proxy_pass http://127.0.0.1:PORT;
}
location /nested/ {
    location /nested/inner/ { add_header X-Frame-Options "OWN" always; return 200 inner; }
}
"""


class App(BaseHTTPRequestHandler):
    """Answers with the headers that it gets, and sends those of ``X-Say``, a JSON object."""

    protocol_version = "HTTP/1.1"
    held = Barrier(2)

    def do_GET(self) -> None:
        if self.path == "/held":
            self.held.wait(20)
        body = json.dumps({name.lower(): value for name, value in self.headers.items()}).encode()
        body += b" " * (3000 if self.path.startswith("/long") else 0)
        self.send_response(500 if self.path == "/fails" else 200)
        for name, value in json.loads(self.headers.get("X-Say", "{}")).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def site(name: str, port: int, *routes: Route, **settings: object) -> Site:
    """A site with one app, for ``/`` and what ``routes`` leave to it."""
    everything = Route(Match(), Backend((app(port),)))
    return routed(name, everything, *routes, tuning=Tuning(**settings))  # type: ignore[arg-type]


def below(path: str, action: object = None, **settings: object) -> Route:
    """A route for a path, with settings of its own."""
    return Route(Match.of(path), action, tuning=Tuning(**settings) if settings else None)  # type: ignore[arg-type]


def stack(port: int) -> list[Site]:
    """All sites of the test."""
    passed = Backend((app(port),))
    own = (SLOW,)
    ruled = Match(Conditions(headers=(FieldMatch("x-beta", (Text("1"),)),)))
    headers = Headers(
        Preset.STRICT,
        Hsts(31_536_000, subdomains=True),
        Changes((("X-Robots-Tag", "noindex"), ("X-Value", VALUE)), ("X-Powered-By",)),
        Changes((("X-From", VALUE), ("X-Forwarded-Port", "9")), ("User-Agent",)),
    )
    plain = Headers(Preset.BASIC, response=Changes((("X-Robots-Tag", "all"),)))
    paths = replace(SLOW, paths=(PathMatch("/login"), PathMatch("/a.b")))
    return [
        site("a.example.com", port, rates=(SLOW,)),
        site("b.example.com", port, rates=(SLOW,)),
        site("paths.example.com", port, rates=(paths, Rate(1, 60, 6))),
        site(
            "routes.example.com",
            port,
            below("/tight", passed, rates=own),
            below("/tight-too", passed, rates=own),
            below("/free", passed, rates=()),
            Route(ruled, passed, tuning=Tuning(rates=(replace(SLOW, burst=0),))),
            rates=(Rate(1, 60, 5),),
        ),
        site("all.example.com", port, rates=(replace(SLOW, by=CountedBy.ALL),)),
        site("once.example.com", port, below("/any", passed, connections=0), connections=1),
        replace(
            site("headers.example.com", port, below("/moved", Redirect("https://x.example.com/")), headers=headers),
            errors=ErrorPages(((500, PageFile("pages/500.html")), (404, PageFile("pages/500.html"))), intercept=True),
        ),
        site(
            "mixed.example.com",
            port,
            below("/other", passed, headers=plain),
            below("/said", Answer(200, "x"), headers=plain),
        ),
        replace(
            site("blocked.example.com", port),
            blocked=Blocked((ip_network("127.0.0.9/32"), ip_network("2001:db8::/32"))),
            errors=ErrorPages(((403, PageFile("pages/500.html")),)),
        ),
        site(
            "closed.example.com",
            port,
            below("/open", passed, access=Access()),
            below("/answered", Answer(200, "text/plain", "an answer")),
            access=Access((ip_network("127.0.0.5/32"),), (ip_network("127.0.0.6/32"),), skip=(PathMatch("/public"),)),
        ),
        site("text.example.com", port, below("/long/off", passed, compress=False), compress=True),
    ]


class Proxy:
    """The proxy, asked by a new connection for each request."""

    def __init__(self, port: int) -> None:
        self.port = port

    def get(self, host: str, target: str = "/", source: str = "127.0.0.1", **headers: str) -> Answered:
        pairs = [(name.replace("_", "-"), value) for name, value in headers.items()]
        with Connection(self.port, source) as connection:
            return connection.ask(host, "GET", target, pairs)

    def statuses(self, host: str, *targets: str, source: str = "127.0.0.1") -> list[int]:
        return [self.get(host, target, source).status for target in targets]


NGINX = ["nginx 1.22", "nginx 1.30"]


@pytest.fixture(scope="module", params=[*NGINX, "haproxy 3.0", "haproxy 3.2"])
def proxy(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    kind, version = request.param.split()
    (port,) = free_ports(1)
    server = ThreadingHTTPServer(("127.0.0.1", port), App)
    Thread(target=server.serve_forever, daemon=True).start()
    folder = tmp_path_factory.mktemp("edge")
    folder.chmod(0o755)
    with server, serving_by(kind, version, folder, port) as ports:
        yield Proxy(ports.http)
        server.shutdown()


def serving_by(kind: str, version: str, folder: Path, port: int) -> AbstractContextManager[Ports]:
    sites = stack(port)
    if kind == "haproxy":
        return real_haproxy.serving(folder, sites, version=version, pages={"pages/500.html": b"the page"})
    (folder / "snippets/pages/pages").mkdir(parents=True)
    (folder / "snippets/pages/pages/500.html").write_text("the page")
    custom = {custom_site("headers.example.com"): OWN.replace(b"PORT", str(port).encode())}
    custom["http.conf"] = b"set_real_ip_from 127.0.0.1; real_ip_header X-Client;"
    return serving(folder, sites, version=version, custom=custom)


only_nginx = pytest.mark.parametrize("proxy", NGINX, indirect=True)


def test_more_requests_than_the_rate_get_429_and_nobody_else(proxy: Proxy) -> None:
    assert proxy.statuses("a.example.com", *["/"] * 5) == [200, 200, 200, 429, 429]
    refused = proxy.get("a.example.com")
    assert (refused.status, refused.headers["retry-after"]) == (429, "60")
    assert proxy.statuses("b.example.com", "/") == [200], "each site counts for itself"
    assert proxy.statuses("a.example.com", "/", source="127.0.0.2") == [200], "and each client"
    passed = proxy.get("b.example.com", X_Say='{"Retry-After": "7"}')
    assert passed.headers["retry-after"] == "7", "an app's own header stays"
    assert proxy.statuses("a.example.com", "/.well-known/acme-challenge/x") == [404], "the challenge is never limited"


def test_a_limit_of_paths_counts_only_these(proxy: Proxy) -> None:
    asked = ["/login", "//login/x", "/login?a", "/login/", "/loginx", "/axb", "/other"]
    assert proxy.statuses("paths.example.com", *asked) == [200, 200, 200, 429, 200, 200, 200]
    assert proxy.statuses("paths.example.com", "/a.b", "/other", "/other") == [429, 200, 429], (
        "the limit of all paths counts too"
    )


def test_a_route_counts_for_itself(proxy: Proxy) -> None:
    assert proxy.statuses("routes.example.com", *["/tight", "/tight/x", "/tight-too", "/tight-too"]) == [200] * 3 + [
        429
    ]
    assert proxy.statuses("routes.example.com", *["/free"] * 9) == [200] * 9
    beta = [proxy.get("routes.example.com", "/", X_Beta="1").status for _ in range(2)]
    assert beta == [200, 429], "a rule too"
    assert proxy.statuses("routes.example.com", *["/"] * 7) == [200] * 6 + [429], "and none of these for the site"


def test_a_limit_by_all_counts_clients_together(proxy: Proxy) -> None:
    sources = [f"127.0.0.{number}" for number in range(1, 5)]
    assert [proxy.statuses("all.example.com", "/", source=source) for source in sources] == [[200]] * 3 + [[429]]


@only_nginx
def test_a_client_with_ipv6_is_a_network_of_64_bits(proxy: Proxy) -> None:
    asked = ["2001:db8::1", "2001:db8::a:b:c:d", "2001:db8::ffff", "2001:db8::2", "2001:db8:0:1::1", "192.0.2.10"]
    statuses = [proxy.get("b.example.com", X_Client=address).status for address in asked]
    assert statuses == [200, 200, 200, 429, 200, 200]


def test_requests_at_once_are_limited(proxy: Proxy) -> None:
    with ThreadPoolExecutor() as pool:
        for path, expected in (("/", 429), ("/any", 200)):
            held = pool.submit(proxy.get, "once.example.com", "/held")
            while App.held.n_waiting == 0:
                assert not held.done()
            assert proxy.statuses("once.example.com", path, "/any") == [expected, 200]
            assert proxy.statuses("once.example.com", "/", source="127.0.0.2") == [200]
            App.held.wait(20)
            assert held.result().status == 200


STRICT = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex",
    "x-value": VALUE,
}


@pytest.mark.parametrize("path", ["/", "/moved", "/fails"])
def test_headers_are_in_every_answer(proxy: Proxy, path: str) -> None:
    headers_are_there(proxy, path)


@only_nginx
@pytest.mark.parametrize("path", ["/own/", "/own/.x", "/nested/inner/"])
def test_headers_are_in_the_answers_of_the_users_own_locations(proxy: Proxy, path: str) -> None:
    headers_are_there(proxy, path)


def headers_are_there(proxy: Proxy, path: str) -> None:
    answer = proxy.get("headers.example.com", path, X_Say='{"X-Powered-By": "old", "X-Robots-Tag": "all"}')
    expected = STRICT | ({"x-frame-options": "OWN"} if "inner" in path else {})
    assert {name: answer.headers.get(name) for name in expected} == expected, "each once, in the user's locations too"
    assert "x-powered-by" not in answer.headers
    assert "strict-transport-security" not in answer.headers, "not over HTTP (RFC 6797, section 7.2)"
    if path == "/own/":
        assert answer.headers["x-own"] == "1"
    if path == "/fails":
        assert answer.body == "the page"


def test_an_apps_own_header_comes_before_one_of_a_preset(proxy: Proxy) -> None:
    answer = proxy.get("headers.example.com", X_Say='{"X-Frame-Options": "SAMEORIGIN", "X-Content-Type-Options": "x"}')
    assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    fails = proxy.get("headers.example.com", "/fails", X_Say='{"X-Frame-Options": "SAMEORIGIN"}')
    assert fails.headers["x-frame-options"] == "DENY", "a page of the stack is not the app's"


def test_request_headers_replace_those_of_the_client(proxy: Proxy) -> None:
    asked = proxy.get("headers.example.com", "/", X_From="client", User_Agent="me", X_Other="2")
    got = json.loads(asked.body)
    assert (got["x-from"], got["x-forwarded-port"], got["x-other"]) == (VALUE, "9", "2")
    assert "user-agent" not in got
    assert got["x-forwarded-for"] == "127.0.0.1", "what the proxy vouches for stays"


def test_a_route_has_headers_of_its_own(proxy: Proxy) -> None:
    for path in ("/other", "/said"):
        answer = proxy.get("mixed.example.com", path)
        assert answer.headers["x-robots-tag"] == "all"
        assert answer.headers["x-frame-options"] == "SAMEORIGIN"
    assert "x-frame-options" not in proxy.get("mixed.example.com", "/").headers


def test_text_is_compressed_once_for_those_who_can_read_it(proxy: Proxy) -> None:
    as_json = '{"Content-Type": "application/json"}'
    answer = proxy.get("text.example.com", "/long", Accept_Encoding="gzip", X_Say=as_json)
    assert (answer.headers.get("content-encoding"), answer.headers.get("vary")) == ("gzip", "Accept-Encoding")
    plain = proxy.get("text.example.com", "/long", X_Say=as_json)
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding", "a cache must not give one client the other's"
    for target, said in (
        ("/long/off", as_json),
        ("/long", '{"Content-Type": "image/png"}'),
        ("/long", '{"Content-Type": "text/event-stream"}'),
        ("/long", '{"Content-Type": "application/json", "Content-Encoding": "br"}'),
    ):
        answer = proxy.get("text.example.com", target, Accept_Encoding="gzip", X_Say=said)
        assert answer.headers.get("content-encoding") in {None, "br"}, (target, said)


@pytest.mark.parametrize("proxy", [*NGINX, "haproxy 3.2"], indirect=True)
def test_a_short_text_is_not_compressed(proxy: Proxy) -> None:
    answer = proxy.get("text.example.com", "/short", Accept_Encoding="gzip", X_Say='{"Content-Type": "text/plain"}')
    assert "content-encoding" not in answer.headers


def test_compressed_text_is_the_same(proxy: Proxy) -> None:
    with Connection(proxy.port) as connection:
        said = '{"Content-Type": "text/plain"}'
        answer = connection.ask("text.example.com", "GET", "/long", [("Accept-Encoding", "gzip"), ("X-Say", said)])
    assert json.loads(gzip.decompress(answer.body.encode("utf-8", "surrogateescape")))["x-say"] == said


def test_a_blocked_client_gets_403_from_its_site_alone_but_for_the_challenge(proxy: Proxy) -> None:
    name = "blocked.example.com"
    assert proxy.statuses(name, "/", "/.well-known/acme-challenge/x", source="127.0.0.9") == [403, 404]
    assert proxy.get(name, source="127.0.0.9").body == "the page"
    assert proxy.statuses("text.example.com", "/", source="127.0.0.9") == [200]
    assert proxy.statuses(name, "/") == [200]


@only_nginx
def test_a_blocked_client_with_ipv6_gets_403(proxy: Proxy) -> None:
    name = "blocked.example.com"
    assert [proxy.get(name, X_Client=one).status for one in ("2001:db8::1", "2001:db9::1")] == [403, 200]


@pytest.mark.parametrize(
    ("source", "target", "status"),
    [
        ("127.0.0.1", "/", 403),
        ("127.0.0.1", "/answered", 403),
        ("127.0.0.1", "/public", 200),
        ("127.0.0.1", "/public/a?b", 200),
        ("127.0.0.1", "/publicity", 403),
        ("127.0.0.1", "/public/../secret", 403),
        ("127.0.0.1", "/public/%2e%2e/secret", 403),
        ("127.0.0.1", "/public//a", 403),
        ("127.0.0.1", "/open/a", 200),
        ("127.0.0.1", "/.well-known/acme-challenge/none", 404),
        ("127.0.0.5", "/", 200),
        ("127.0.0.5", "/answered", 200),
        ("127.0.0.6", "/public", 403),
    ],
)
def test_access_by_address(proxy: Proxy, source: str, target: str, status: int) -> None:
    forged = proxy.get("closed.example.com", target, source, X_Forwarded_For="127.0.0.5", X_Real_IP="127.0.0.5")
    assert forged.status == status


def test_haproxy_goes_on_counting_after_a_reload(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    ports = Ports(*free_ports(2))
    answer = routed("a.example.com", Route(Match(), Answer(200, "here")), tuning=Tuning(rates=(SLOW,)))
    write(tmp_path, real_haproxy.rendered([answer], ports))
    with real_haproxy.running(tmp_path, "3.2") as process:
        proxy = Proxy(ports.http)
        assert proxy.statuses("a.example.com", "/", "/", "/") == [200] * 3
        process.send_signal(signal.SIGUSR2)
        wait_for_line(process, "Loading success")
        # The workers of before send their counts before they end; without these, three more requests would pass.
        wait_for_line(process, "Former worker")
        found: list[int] = []

        def is_refused() -> bool:
            found.extend(proxy.statuses("a.example.com", "/"))
            return 429 in found

        wait_until(is_refused, 10, "it is refused")
        assert found.count(200) < 3
