"""A real HAProxy shares requests among servers as the file says, and answers in their place."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from stackctl.model.backends import Backend, Canary, Server
from stackctl.model.balancing import Balance, HashKey, HashKind, Sticky
from stackctl.model.endpoints import Endpoint
from stackctl.model.health import ActiveCheck, HealthCheck
from stackctl.model.matching import Match
from stackctl.model.pages import Maintenance
from stackctl.model.routing import Redirect, Route, Site
from tests.integration import real_haproxy, real_nginx
from tests.integration.real_nginx import Answered, Connection, app, free_ports
from tests.quic import ask_all
from tests.unit.build import routed

pytestmark = pytest.mark.e2e

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
UPGRADED = (
    b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
"""The example of RFC 6455, section 1.3: HAProxy passes on no answer that does not fit the key."""

CHECK = ActiveCheck(HealthCheck("/"), every=1, rise=1, fall=1)


class Edge(NamedTuple):
    """A running proxy with its ports, those of its apps, and one for an app of a test."""

    connection: Connection
    http: int
    https: int
    socket: int
    one: int
    two: int

    def asked(self, site: str, count: int = 1, **headers: str) -> list[Answered]:
        """Answers to requests, one after the other."""
        sent = tuple((name.replace("_", "-"), value) for name, value in headers.items())
        return [self.connection.ask(f"{site}.example.com", "GET", f"/?n={number}", sent) for number in range(count)]

    def shares(self, site: str, count: int = 8, **headers: str) -> Counter[int]:
        """How many of some requests each app got."""
        return Counter(int(one.body.split()[0]) for one in self.asked(site, count, **headers))


def sites(one: int, two: int, none: int, own: int) -> Iterator[Site]:
    first, second, dead = app(one), app(two), app(none)

    def of(name: str, *servers: Server, canary: Canary | None = None, **keys: object) -> Site:
        return routed(f"{name}.example.com", Route(Match(), Backend(servers, canary=canary, **keys)))  # type: ignore[arg-type]

    yield of("weights", replace(first, weight=3), second)
    yield of("drained", first, replace(second, drained=True))
    yield of("backup", dead, replace(second, backup=True), health=CHECK)
    yield of("sticky", first, second, sticky=Sticky())
    yield of("hash", first, second, balance=Balance.HASH, hash=HashKey(HashKind.HEADER, "x-user"))
    yield of("checked", dead, second, health=CHECK)
    yield of("canary", first, canary=Canary(second, 0, ("group", "beta")))
    yield of("unknown", Server(Endpoint("nobody.invalid", 80)))
    yield replace(of("closed", first), maintenance=Maintenance("Back at six."))
    yield of("socket", app(own))
    yield routed("moved.example.com", Route(Match(), Redirect("https://new.example.com", keep_path=True)))


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    one, two, none, own = free_ports(4)
    folders: list[Path] = [tmp_path_factory.mktemp(name) for name in ("apps", "proxy")]
    with contextlib.ExitStack() as stack:
        stack.enter_context(real_nginx.serving(folders[0], [routed("apps.example.com")], [one, two]))
        ports = stack.enter_context(real_haproxy.serving(folders[1], list(sites(one, two, none, own))))
        yield Edge(stack.enter_context(Connection(ports.http)), ports.http, ports.https, own, one, two)


def test_weights_backups_and_drained_servers(edge: Edge) -> None:
    assert edge.shares("weights") == {edge.one: 6, edge.two: 2}
    assert edge.shares("drained") == {edge.one: 8}
    assert edge.shares("backup") == {edge.two: 8}
    assert edge.shares("checked") == {edge.two: 8}


def test_a_client_stays_with_its_server(edge: Edge) -> None:
    (first,) = edge.asked("sticky")
    cookie = first.headers["set-cookie"]
    assert {"HttpOnly", "Secure", "SameSite=Lax"} <= {part.strip() for part in cookie.split(";")}
    assert len(edge.shares("sticky", Cookie=cookie.partition(";")[0])) == 1
    assert all(len(edge.shares("hash", x_user=user)) == 1 for user in ("ann", "bob", "eve"))


def test_a_canary_gets_the_clients_with_its_cookie(edge: Edge) -> None:
    assert edge.shares("canary") == {edge.one: 8}
    assert edge.shares("canary", Cookie="group=beta") == {edge.two: 8}


def test_http3_beside_the_other_protocols(edge: Edge) -> None:
    name = "weights.example.com"
    own, other = ask_all(edge.https, name, [(name, "/x?a=%2F"), ("sticky.example.com", "/")])
    assert (own.status, other.status) == (200, 421)
    assert own.body.decode().split()[1:3] == ["GET", "/x?a=%2F"]
    assert own.headers["alt-svc"] == f'h3=":{edge.https}"; ma=86400'


def test_websockets_pass_and_no_other_upgrade_does(edge: Edge) -> None:
    seen: list[bytes] = []

    def serve(listening: socket.socket) -> None:
        for _ in range(2):
            with listening.accept()[0] as client:
                seen.append(client.recv(65536))
                if b"websocket" in seen[-1].lower():
                    client.sendall(UPGRADED)
                    client.sendall(client.recv(4))
                else:
                    client.sendall(b"HTTP/1.1 204 None\r\nConnection: close\r\n\r\n")

    with socket.create_server(("127.0.0.1", edge.socket)) as listening, Connection(edge.http) as connection:
        running = threading.Thread(target=serve, args=(listening,))
        running.start()
        asked = [("Connection", "Upgrade"), ("Upgrade", "h2c")]
        assert connection.ask("socket.example.com", "GET", "/", asked).status == 204
        asked = [("Connection", "Upgrade"), ("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]
        asked.append(("Sec-WebSocket-Key", KEY))
        assert connection.ask("socket.example.com", "GET", "/", asked).status == 101
        connection.socket.sendall(b"ping")
        assert connection.socket.recv(4) == b"ping"
        running.join(10)
    assert b"h2c" not in seen[0].lower()


def test_the_proxy_answers_itself(edge: Edge) -> None:
    (closed,), (moved,), (unknown,) = (edge.asked(name) for name in ("closed", "moved", "unknown"))
    assert (closed.status, closed.headers["retry-after"]) == (503, "300")
    assert "Back at six." in closed.body
    assert (moved.status, moved.headers["location"]) == (308, "https://new.example.com/?n=0")
    assert unknown.status == 503
