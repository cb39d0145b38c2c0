"""A real proxy behind a load balancer: whom it believes, and what an app gets of it."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from stackctl.model.backends import Backend
from stackctl.model.edge import PROBE, Behind, ClientIp, health_path
from stackctl.model.endpoints import Endpoint
from stackctl.model.matching import Match
from stackctl.model.routing import Route
from stackctl.model.streams import Stream
from stackctl.model.values import Domain
from tests.integration import real_haproxy
from tests.integration.real_nginx import Connection, Ports, app, serving
from tests.unit.build import routed

pytestmark = pytest.mark.e2e

HOST = "a.example.com"
TRUSTED, STRANGER = "127.0.0.2", "127.0.0.1"
NETWORKS = (ip_network("127.0.0.2/32"), ip_network("10.0.0.0/8"), ip_network("fd00::/8"))
ELSEWHERE = "127.0.0.3"
"""127.0.0.1 belongs to the health check of the container where connections begin with the PROXY protocol."""

HEALTH = health_path("/healthz")
FORGED = 10_000
"""Requests in all, to both proxies."""


class Server(ThreadingHTTPServer):
    """A proxy may end its connections at any time."""

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


class App(BaseHTTPRequestHandler):
    """Answers with the headers that say who asks, and for what."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or else each answer waits 40 ms for what is sent after its headers
    names = ("X-Forwarded-For", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-Port", "Host")

    def do_GET(self) -> None:
        body = "|".join(", ".join(self.headers.get_all(name, [])) for name in self.names).encode("latin-1")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def seen_at(ports: Ports, source: str, *lines: tuple[str, str], ahead: bytes = b"", host: str = HOST) -> list[str]:
    """What the app sees: X-Forwarded-For, X-Real-IP, X-Forwarded-Proto, X-Forwarded-Port and Host."""
    with Connection(ports.http, source, ahead, to=ELSEWHERE if ahead else "127.0.0.1") as connection:
        answered = connection.ask(host, "GET", "/", lines)
    assert answered.status == 200
    return answered.body.split("|")


@contextlib.contextmanager
def serving_by(
    kind: str, folder: Path, behind: Behind, *, version: str = "", streams: tuple[Stream, ...] = ()
) -> Iterator[Ports]:
    with Server(("127.0.0.1", 0), App) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        site = routed(HOST, Route(Match(), Backend((app(server.server_port),))), aliases=["www.example.com"])
        folder.mkdir()
        sites = [replace(site, canonical=site.name)]
        with (
            serving(folder, sites, behind=behind, version=version or "1.30", streams=streams)
            if kind == "nginx"
            else real_haproxy.serving(folder, sites, behind=behind, version=version or "3.2")
        ) as ports:
            yield ports
        server.shutdown()


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def believing(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """One that believes an address of IPv4, and that of IPv6."""
    behind = Behind((*NETWORKS, ip_network("::1/128")), terminated=True, redirect=False, health=HEALTH)
    with serving_by(kind, tmp_path_factory.mktemp("behind") / kind, behind) as ports:
        yield ports


@pytest.fixture(scope="module")
def strict(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """One that does not believe the address of IPv6."""
    with serving_by(kind, tmp_path_factory.mktemp("behind") / kind, Behind(NETWORKS, terminated=True)) as ports:
        yield ports


@pytest.fixture(scope="module")
def redirecting(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """One that redirects plain HTTP."""
    behind = Behind(NETWORKS, terminated=True, redirect=True, health=HEALTH)
    with serving_by(kind, tmp_path_factory.mktemp("behind") / kind, behind) as ports:
        yield ports


@pytest.fixture(scope="module")
def passed_on(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """One that terminates TLS itself."""
    behind = Behind(NETWORKS, health=HEALTH)
    with serving_by(kind, tmp_path_factory.mktemp("behind") / kind, behind) as ports:
        yield ports


@pytest.fixture(scope="module")
def framed(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ports]:
    """One whose connections begin with the PROXY protocol."""
    behind = Behind(NETWORKS, client_ip=ClientIp.PROXY_PROTOCOL, terminated=True, health=HEALTH)
    with serving_by(kind, tmp_path_factory.mktemp("behind") / kind, behind) as ports:
        yield ports


# Forged headers

_CHOSEN = ["10.1.2.3", "127.0.0.1", "127.0.0.2", "fd00::7", "::1", "::ffff:10.0.0.1", "0.0.0.0", "::"]
_ADDRESSES = st.one_of(st.ip_addresses().map(str), st.sampled_from(_CHOSEN))
_PORTS = st.sampled_from(["", "", ":443", ":65536", ":0", ":x", ":"])
_GARBAGE = [
    *("unknown", "_hidden", "localhost", "1.2.3", "1.2.3.4.5", "0x7f000001", "[", "]", "-", "", ",", ";", "%", "a b"),
    *('"192.0.2.1"', "for=192.0.2.1", "192.0.2.1%eth0", "192.0.2.1/32", "fe80::1%1", "1" * 300, "\t192.0.2.1", "é"),
]
_TOKENS = st.one_of(
    st.builds("{}{}".format, _ADDRESSES, _PORTS),
    st.builds("[{}]{}".format, _ADDRESSES, _PORTS),
    st.sampled_from(_GARBAGE),
)
_LINES = st.lists(st.lists(_TOKENS, max_size=3).map(", ".join), min_size=1, max_size=3)
_NAMES = st.sampled_from(
    ["X-Forwarded-For", "x-forwarded-for", "X_Forwarded_For", "CF-Connecting-IP", "X-Real-IP", "Forwarded"]
)
_SCHEMES = st.lists(st.sampled_from(["https", "http", "HTTPS", "http, https", "ftp", ""]), max_size=2)
_BELIEVED = (*NETWORKS, ip_network("::1/128"))


def _is_client(one: IPv4Address | IPv6Address) -> bool:
    if str(one) == "255.255.255.255":
        return False  # nginx reads it as no address
    return getattr(one, "ipv4_mapped", None) is None and not any(one in network for network in _BELIEVED)


_CLIENTS = st.ip_addresses().filter(_is_client).map(str)
_QUICK = settings(
    max_examples=FORGED // 8,
    deadline=None,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=[*HealthCheck],
)


def _forged(name: str, lines: Sequence[str], schemes: Sequence[str]) -> list[tuple[str, str]]:
    return [*((name, line) for line in lines), *(("X-Forwarded-Proto", scheme) for scheme in schemes)]


@pytest.mark.slow
@pytest.mark.parametrize("source", [STRANGER, "::1"])
def test_no_forged_header_of_a_stranger_is_believed(believing: Ports, strict: Ports, source: str) -> None:
    with Connection((strict if source == "::1" else believing).http, source) as connection:

        @_QUICK
        @given(_NAMES, _LINES, _SCHEMES)
        def forge(name: str, lines: list[str], schemes: list[str]) -> None:
            answered = connection.ask(HOST, "GET", "/", _forged(name, lines, schemes))
            assert answered.body == f"{source}|{source}|http|80|{HOST}"

        forge()


@pytest.mark.slow
@pytest.mark.parametrize("source", [TRUSTED, "::1"])
def test_of_a_trusted_peer_only_its_own_word_is_believed(believing: Ports, source: str) -> None:
    """It appends the address that it sees: of all that stands before that in a header, nothing is believed."""
    with Connection(believing.http, source) as connection:

        @_QUICK
        @given(_NAMES, _LINES, _SCHEMES, _CLIENTS)
        def forge(name: str, lines: list[str], schemes: list[str], client: str) -> None:
            appended = [*lines[:-1], f"{lines[-1]}, {client}"]
            others = [] if name.lower() == "x-forwarded-for" else _forged(name, lines, [])
            headers = [*others, *_forged("X-Forwarded-For", appended, [*schemes, "https"])]
            answered = connection.ask(HOST, "GET", "/", headers)
            assert answered.body == f"{client}|{client}|https|443|{HOST}"

        forge()


@pytest.mark.parametrize(
    ("lines", "client"),
    [
        ((), TRUSTED),
        (("192.0.2.7",), "192.0.2.7"),
        (("192.0.2.7:4711",), "192.0.2.7"),
        (("[2001:db8::7]:443",), "2001:db8::7"),
        (("2001:db8::7",), "2001:db8::7"),
        (("6.6.6.6, 192.0.2.7",), "192.0.2.7"),
        (("6.6.6.6", "192.0.2.7"), "192.0.2.7"),
        (("6.6.6.6, 192.0.2.7, 10.9.9.9, 127.0.0.2",), "192.0.2.7"),
        (("6.6.6.6,192.0.2.7,10.9.9.9", "10.8.8.8"), "192.0.2.7"),
        (("unknown, 10.9.9.9",), "10.9.9.9"),
        (("garbage",), TRUSTED),
    ],
)
def test_the_client_is_the_last_address_that_is_not_trusted(
    believing: Ports, lines: Sequence[str], client: str
) -> None:
    seen = seen_at(believing, TRUSTED, *(("X-Forwarded-For", line) for line in lines))
    assert seen[:2] == [client, client]


@pytest.mark.parametrize(
    ("schemes", "scheme", "port"),
    [
        ((), "https", "443"),
        (("https",), "https", "443"),
        (("WSS",), "https", "443"),
        (("http",), "http", "80"),
        (("https, http",), "http", "80"),
        (("https", "http"), "http", "80"),
        (("http, https",), "https", "443"),
        (("gopher",), "http", "80"),
    ],
)
def test_the_scheme_is_what_the_trusted_peer_said(
    believing: Ports, schemes: Sequence[str], scheme: str, port: str
) -> None:
    said = [("X-Forwarded-Proto", one) for one in schemes]
    assert seen_at(believing, TRUSTED, *said)[2:] == [scheme, port, HOST]
    assert seen_at(believing, STRANGER, *said)[2:] == ["http", "80", HOST]


# Health


def raw(ports: Ports, sent: bytes, source: str = STRANGER, to: str = "127.0.0.1") -> tuple[bytes, bytes]:
    """The status of the answer, and its last line."""
    with socket.create_connection((to, ports.http), 10, (source, 0)) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    return answer.partition(b"\r\n")[0].partition(b" ")[2], answer.rpartition(b"\r\n")[2]


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /healthz HTTP/1.0\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: 10.0.0.7\r\nConnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: nobody.example.net:8080\r\nConnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a.example.com\r\nX-Forwarded-Proto: http\r\nConnection: close\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: www.example.com\r\nConnection: close\r\n\r\n",
    ],
)
def test_health_is_answered_for_any_host_or_none(believing: Ports, redirecting: Ports, sent: bytes) -> None:
    for ports in (believing, redirecting):
        assert raw(ports, sent) == (b"200 OK", b"ok\n")


@pytest.mark.parametrize("name", ["", HOST, "nobody.example.net"])
@pytest.mark.parametrize("host", ["10.0.0.7", HOST, "nobody.example.net", ""])
def test_health_is_answered_over_https_too(passed_on: Ports, name: str, host: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    lines = [
        f"GET /healthz HTTP/1.{1 if host else 0}",
        *([f"Host: {host}"] if host else []),
        "Connection: close",
        "",
        "",
    ]
    plain = socket.create_connection(("127.0.0.1", passed_on.https), 10)
    with context.wrap_socket(plain, server_hostname=name or None) as connection:
        connection.sendall("\r\n".join(lines).encode())
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert answer.partition(b" ")[2].startswith(b"200 OK")


def test_visitors_of_plain_http_are_redirected_once(redirecting: Ports) -> None:
    for source, scheme, status in ((TRUSTED, "http", 308), (TRUSTED, "https", 200), (STRANGER, "https", 308)):
        with Connection(redirecting.http, source) as connection:
            answered = connection.ask(HOST, "POST", "/a?b=%2F", [("X-Forwarded-Proto", scheme)])
        assert answered.status == status, (source, scheme)
        assert answered.headers.get("location") == (f"https://{HOST}/a?b=%2F" if status == 308 else None)
    with Connection(redirecting.http, STRANGER) as connection:
        assert connection.ask(HOST, "GET", "/", [("User-Agent", PROBE)]).body.startswith(f"{STRANGER}|{STRANGER}|http|")
    with Connection(redirecting.http, TRUSTED) as connection:
        challenge = connection.ask(HOST, "GET", "/.well-known/acme-challenge/x", [("X-Forwarded-Proto", "http")])
        alias = connection.ask("www.example.com", "GET", "/a", [("X-Forwarded-Proto", "https")])
    assert challenge.status == 404
    assert (alias.status, alias.headers["location"]) == (308, f"https://{HOST}/a")


# The PROXY protocol

_V2 = b"\r\n\r\n\0\r\nQUIT\n"


def v1(client: str) -> bytes:
    family, own = ("TCP6", "::1") if ":" in client else ("TCP4", "127.0.0.1")
    return f"PROXY {family} {client} {own} 4711 443\r\n".encode()


def v2(client: str) -> bytes:
    address, own = ip_address(client), ip_address("::1" if ":" in client else "127.0.0.1")
    body = address.packed + own.packed + struct.pack("!HH", 4711, 443)
    return _V2 + bytes([0x21, 0x21 if address.version == 6 else 0x11]) + struct.pack("!H", len(body)) + body


@pytest.mark.parametrize("header", [v1, v2])
@pytest.mark.parametrize("client", ["192.0.2.7", "2001:db8::7"])
def test_the_proxy_protocol_names_the_client_of_a_trusted_peer_only(
    framed: Ports, header: Callable[[str], bytes], client: str
) -> None:
    forged = [("X-Forwarded-For", "6.6.6.6"), ("X-Forwarded-Proto", "http")]
    assert seen_at(framed, TRUSTED, *forged, ahead=header(client)) == [client, client, "https", "443", HOST]
    assert seen_at(framed, STRANGER, *forged, ahead=header(client)) == [STRANGER, STRANGER, "http", "80", HOST]


def test_a_peer_without_a_client_is_itself(framed: Ports) -> None:
    assert seen_at(framed, TRUSTED, ahead=b"PROXY UNKNOWN\r\n")[0] == TRUSTED
    assert seen_at(framed, TRUSTED, ahead=_V2 + b"\x20\0\0\0")[0] == TRUSTED


@pytest.mark.parametrize(
    "sent",
    [
        b"GET /healthz HTTP/1.0\r\n\r\n",
        b"PROXY TCP4 x\r\nGET / HTTP/1.0\r\n\r\n",
        b"\x16\x03\x01",
        _V2[:6],
    ],
)
def test_a_connection_without_its_header_is_closed(framed: Ports, sent: bytes) -> None:
    with contextlib.suppress(OSError):
        assert raw(framed, sent, TRUSTED, ELSEWHERE) == (b"", b"")


def test_health_is_answered_behind_a_proxy_header(framed: Ports) -> None:
    asked = b"GET /healthz HTTP/1.0\r\n\r\n"
    assert raw(framed, v1("192.0.2.7") + asked, STRANGER, ELSEWHERE) == (b"200 OK", b"ok\n")
    assert raw(framed, v2("2001:db8::7") + asked, TRUSTED, ELSEWHERE) == (b"200 OK", b"ok\n")


PASSED_ON = Stream(Endpoint("127.0.0.1", 9), Domain("mail.example.com"))


@pytest.mark.parametrize("version", ["1.22", "1.26", "1.30"])
def test_the_proxy_protocol_goes_together_with_tls_that_is_passed_on(tmp_path: Path, version: str) -> None:
    behind = Behind(NETWORKS, client_ip=ClientIp.PROXY_PROTOCOL)
    with serving_by("nginx", tmp_path / "nginx", behind, version=version, streams=(PASSED_ON,)) as ports:
        for header in (v1, v2):
            for source, client in ((TRUSTED, "192.0.2.7"), (STRANGER, STRANGER)):
                assert over_tls(ports, source, header("192.0.2.7")) == f"{client}|{client}|https|443|{HOST}"


def over_tls(ports: Ports, source: str, ahead: bytes) -> str:
    """What the app sees of a request over HTTPS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    plain = socket.create_connection((ELSEWHERE, ports.https), 10, (source, 0))
    plain.sendall(ahead)
    with context.wrap_socket(plain, server_hostname=HOST) as connection:
        connection.sendall(f"GET / HTTP/1.0\r\nHost: {HOST}\r\n\r\n".encode())
        return b"".join(iter(lambda: connection.recv(4096), b"")).rpartition(b"\r\n")[2].decode()
