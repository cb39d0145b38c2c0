"""A real nginx of each version: which app gets what of a request, and what becomes of the app's answer."""

from __future__ import annotations

import hashlib
import socket
import subprocess
from collections.abc import Iterator
from ipaddress import ip_network

import pytest

from stackctl.model.backends import Backend
from stackctl.model.matching import Conditions, FieldMatch, Match, PathKind, PathMatch, Text
from stackctl.model.routing import Answer, Redirect, Route, Site
from stackctl.model.tuning import Tuning
from tests.integration.real_nginx import VERSIONS, Connection, Ports, app, free_ports, serving
from tests.unit.build import routed
from tests.unit.servers import listening

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SHOP = "shop.example.com"
BODY = b"0123456789abcdef" * 20_000
TEXT = 'a "q" $uri \\ {};\n\ttab é'
SORRY = b"error_page 502 /sorry.html;\nlocation = /sorry.html { return 200 sorry; }\n"


Served = tuple[Ports, list[int]]


def answer(connection: socket.socket) -> None:
    """Say how long the body of a request is, and its digest; echo what comes after an upgrade."""
    with connection.makefile("rwb") as stream:
        head = {}
        line = stream.readline()
        while (field := stream.readline().strip()) != b"":
            name, _, value = field.decode().partition(": ")
            head[name.lower()] = value
        if head.get("upgrade") == "websocket":
            stream.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n")
            stream.flush()
            stream.write(stream.readline())
            return
        body = stream.read(int(head.get("content-length", 0)))
        text = b" ".join([*line.split()[:2], str(len(body)).encode(), hashlib.sha256(body).hexdigest().encode()])
        stream.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text))


@pytest.fixture(scope="module", params=VERSIONS)
def nginx(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """The ports of the proxy, and of the apps: web, api, v2, one that takes bodies, and one that is down."""
    echoes = free_ports(3)
    with listening(answer) as real:
        (dead,) = free_ports(1)
        ports = [*echoes, real.port, dead]
        folder = tmp_path_factory.mktemp("nginx")
        with serving(folder, [shop(ports)], echoes, version=request.param, custom={f"{SHOP}.conf": SORRY}) as proxy:
            yield proxy, ports


def shop(ports: list[int]) -> Site:
    web, api, v2, real, dead = (Backend((app(port),)) for port in ports)
    post = Conditions((PathMatch("/up"),), ("POST",))
    return routed(
        SHOP,
        Route(Match(), web),
        Route(Match.of("/api", "/é x"), api, strip=True),
        Route(Match.of("/api/v2"), v2),
        Route(Match(Conditions((PathMatch("/exact/", PathKind.EXACT),))), v2),
        Route(Match.of("/plain"), real),
        Route(Match.of("/small"), real, tuning=Tuning("1k")),
        Route(Match.of("/old"), Redirect("https://new.example.com", keep_path=True), strip=True),
        Route(Match.of("/kept"), Redirect("/new", 302)),
        Route(Match.of("/text"), Answer(200, TEXT, "text/x-own")),
        Route(Match.of("/closed"), Answer(403)),
        Route(Match(post), real, strip=True),
        Route(Match(Conditions((PathMatch("/ws"),), headers=(FieldMatch("upgrade", (Text("websocket"),)),))), real),
        Route(Match(Conditions((PathMatch("/dead"),), ("GET",))), dead),
        Route(Match(Conditions((PathMatch("/near"),), sources=(ip_network("127.0.0.2"),))), api),
        *(Route(numbered("moved", one), Redirect(f"https://{one}.example.com/", keep_path=True)) for one in range(16)),
        *(Route(numbered("here", one), Redirect(f"/there/{one}", 307)) for one in range(16)),
        *(Route(numbered("said", one), Answer(200, f'{one} "q" \\ {{}};\n\ttab é')) for one in range(16)),
    )


def numbered(name: str, number: int) -> Match:
    return Match(Conditions((PathMatch(rf"^/{name}/{number}\b", PathKind.REGEX),)))


def ask(
    ports: Ports, target: str, *headers: tuple[str, str], method: str = "GET", body: bytes = b""
) -> tuple[int, str]:
    with Connection(ports.http) as connection:
        answered = connection.ask(SHOP, method, target, headers, body)
    return answered.status, answered.body


@pytest.mark.parametrize(
    ("target", "who", "seen"),
    [
        ("/", 0, "/"),
        ("/api", 1, "/ /api"),
        ("/api?x=%20", 1, "/?x=%20 /api"),
        ("/api/", 1, "/ /api"),
        ("/api2", 0, "/api2"),
        ("/API/x", 0, "/API/x"),
        ("/api/a%2Fb//c/./d;e?f=/../", 1, "/a%2Fb//c/./d;e?f=/../ /api"),
        ("/api/%2e%2e/x", 0, "/api/%2e%2e/x"),
        ("/api/é", 1, "/é /api"),
        ("/%C3%a9%20x/1", 1, "/1 /%C3%A9%20x"),
        ("/api/v2", 2, "/api/v2"),
        ("/api/v2/%2F", 2, "/api/v2/%2F"),
        ("/api/v22", 1, "/v22 /api"),
        ("//x/../api%2Fv2/y", 2, "//x/../api%2Fv2/y"),
        ("/exact/", 2, "/exact/"),
        ("/exact", 0, "/exact"),
        ("/exact/x", 0, "/exact/x"),
        ("/near", 0, "/near"),
    ],
)
def test_the_app_of_the_longest_path_gets_the_bytes_that_were_sent(
    nginx: Served, target: str, who: int, seen: str
) -> None:
    proxy, ports = nginx
    spoofed = ("X-Forwarded-Prefix", "/spoofed")
    assert ask(proxy, target, spoofed) == (200, f"{ports[who]} GET {seen}{'' if ' ' in seen else ' '}")


@pytest.mark.parametrize("target", ["//api/x", "/%61pi/x", "/x/../api/y", "/api%2Fx", "/api/a/../b", "/..", "/%zz"])
def test_what_cannot_be_taken_off_is_refused(nginx: Served, target: str) -> None:
    assert ask(nginx[0], target)[0] == 400


@pytest.mark.parametrize(
    ("header", "said", "answered"),
    [
        ("Location", "/login?a=/b", "/api/login?a=/b"),
        ("Location", "/", "/api/"),
        ("Location", "/apix", "/api/apix"),
        ("Location", "/api/login", "/api/login"),
        ("Location", "/api?x", "/api?x"),
        ("Location", "login", "login"),
        ("Location", "//other.example.com/x", "//other.example.com/x"),
        ("Location", "https://other.example.com/x", "https://other.example.com/x"),
        ("Location", f"HTTPS://{SHOP}:8443/login", f"HTTPS://{SHOP}:8443/api/login"),
        ("Location", f"http://{SHOP}", f"http://{SHOP}/api/"),
        ("Location", f"https://{SHOP}.other.example/x", f"https://{SHOP}.other.example/x"),
        ("Set-Cookie", "a=b; Path=/; Secure", "a=b; Path=/api; Secure"),
        ("Set-Cookie", "a=b; Path=/x", "a=b; Path=/api/x"),
        ("Set-Cookie", "a=b; path=/api", "a=b; path=/api"),
        ("Set-Cookie", "a=b", "a=b"),
    ],
)
def test_redirects_and_cookies_stay_below_the_prefix(nginx: Served, header: str, said: str, answered: str) -> None:
    with Connection(nginx[0].http) as connection:
        for target, expected in (("/api/x", answered), ("/", said)):
            found = connection.ask(SHOP, "GET", target, [(f"X-Say-{header.removeprefix('Set-')}", said)])
            assert found.headers[header.lower()] == expected


def test_the_proxy_answers_by_itself(nginx: Served) -> None:
    with Connection(nginx[0].http) as connection:
        moved = connection.ask(SHOP, "GET", "/old/a%2Fb?c")
        assert (moved.status, moved.headers["location"]) == (308, "https://new.example.com/a%2Fb?c")
        assert connection.ask(SHOP, "GET", "/kept/x").headers["location"] == "/new"
        text = connection.ask(SHOP, "GET", "/text")
        assert (text.status, text.body, text.headers["content-type"]) == (200, TEXT, "text/x-own")
        assert connection.ask(SHOP, "GET", "/closed/x").status == 403


@pytest.mark.parametrize(("target", "seen"), [("/plain/a", "/plain/a"), ("/up/a%2Fb", "/a%2Fb")])
def test_a_body_reaches_the_app_of_a_path_and_of_a_rule(nginx: Served, target: str, seen: str) -> None:
    whole = f"POST {seen} {len(BODY)} {hashlib.sha256(BODY).hexdigest()}"
    assert ask(nginx[0], target, method="POST", body=BODY) == (200, whole)


def test_a_route_has_its_own_limit(nginx: Served) -> None:
    assert ask(nginx[0], "/small", method="POST", body=BODY[:2000])[0] == 413
    assert ask(nginx[0], "/small", method="POST", body=BODY[:1000])[0] == 200


def test_a_web_socket_passes_to_the_app_of_a_rule(nginx: Served) -> None:
    with Connection(nginx[0].http) as connection:
        upgrade = [("Upgrade", "websocket"), ("Connection", "Upgrade")]
        assert connection.ask(SHOP, "GET", "/ws/x", upgrade).status == 101
        connection.socket.sendall(b"hello\n")
        assert connection.socket.recv(100) == b"hello\n"


def test_an_error_of_a_rule_has_the_page_of_the_site(nginx: Served) -> None:
    assert ask(nginx[0], "/dead") == (502, "sorry")


def test_a_rule_and_a_prefix_are_the_same_by_http_2(nginx: Served) -> None:
    proxy, ports = nginx
    base = ["curl", "-sk", "--http2", "--path-as-is", "--resolve", f"{SHOP}:{proxy.https}:127.0.0.1"]
    for target, more, said in (
        ("/api/a%2Fb//c", [], f"{ports[1]} GET /a%2Fb//c /api 2"),
        ("/near", ["--interface", "127.0.0.2"], f"{ports[1]} GET /near  2"),
        ("/up/x", ["-d", "abc"], f"POST /x 3 {hashlib.sha256(b'abc').hexdigest()} 2"),
    ):
        url = f"https://{SHOP}:{proxy.https}{target}"
        done = subprocess.run(
            [*base, "-w", " %{http_version}", *more, url], capture_output=True, text=True, check=True, timeout=30
        )
        assert done.stdout == said
