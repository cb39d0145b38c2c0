"""What a client on this host sees at the published ports, against servers of each kind."""

from __future__ import annotations

import os
import socket
import ssl
from pathlib import Path

import pytest

from stackctl.adapters.net import wire
from stackctl.adapters.net.wire import HostWire
from stackctl.certs.lineage import Certificate, read_certificate
from stackctl.model.endpoints import Endpoint, PortBinding
from stackctl.model.fields import Request
from stackctl.model.layout import MARKER_HOST, MARKER_PATH
from stackctl.model.values import Domain
from stackctl.observed.reply import Failure
from tests.unit.servers import NAME, listening, make_pem, refusing, serving, silent, tls

TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
MINE, OTHER = Domain(NAME), Domain("other.example.com")
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc1\n"


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pem(tmp_path_factory.mktemp("wire"))


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "silent" in request.node.name:
        monkeypatch.setattr(wire, "_TIMEOUT", 0.05)


def certificate(pem: Path) -> Certificate:
    return read_certificate(pem.read_bytes())


@pytest.mark.parametrize("versions", [(TLS12, TLS12), (TLS12, TLS13), (TLS13, TLS13)])
def test_the_certificate_of_each_name_is_seen_whatever_tls_the_server_speaks(
    pem: Path, versions: tuple[ssl.TLSVersion, ssl.TLSVersion]
) -> None:
    with serving(OK, tls(pem, oldest=versions[0], newest=versions[1])) as server:
        expected = {MINE: certificate(pem), OTHER: None}
        assert HostWire().served(server.at, [MINE, OTHER]) == expected
        assert HostWire().offered(server.at, [MINE, OTHER]) == expected


@pytest.mark.parametrize("said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-OpenSSH\r\n", b""])
def test_a_port_that_speaks_no_tls_shows_no_certificate(said: bytes) -> None:
    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(said)

    with listening(answer) as at:
        assert HostWire().served(at, [MINE]) == HostWire().offered(at, [MINE]) == {MINE: None}


def endpoint(at: PortBinding) -> Endpoint:
    return Endpoint(*at.probe)


def test_a_port_that_refuses_connections_shows_nothing() -> None:
    with refusing() as at:
        seen = HostWire()
        assert seen.served(at, [MINE]) == seen.offered(at, [MINE]) == {MINE: None}
        assert (seen.generation(at), seen.responds(at)) == (None, False)
        assert (seen.answers(endpoint(at)), seen.refuses(endpoint(at))) == (False, True)
        assert seen.ask(at, MINE, Request("GET", "/"), tls=True).failure is Failure.CONNECT


def test_a_port_that_is_silent_shows_nothing() -> None:
    with silent() as at:
        seen = HostWire()
        assert seen.served(at, [MINE]) == seen.offered(at, [MINE]) == {MINE: None}
        assert (seen.generation(at), seen.responds(at)) == (None, False)
        assert (seen.answers(endpoint(at)), seen.refuses(endpoint(at))) == (True, False)


def test_the_generation_is_what_the_marker_says() -> None:
    with serving(OK) as server:
        assert HostWire().generation(server.at) == "abc1"
        assert server.requests[0].startswith(f"GET {MARKER_PATH} HTTP/1.1\r\n")
        assert server.headers["Host"] == MARKER_HOST


@pytest.mark.parametrize(
    "said",
    [
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 5\r\n\r\nabc1\n",
        b"HTTP/1.1 301 Moved\r\nLocation: https://a.example.com/\r\nContent-Length: 0\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"",
    ],
)
def test_another_answer_is_no_generation(said: bytes) -> None:
    with serving(said) as server:
        assert HostWire().generation(server.at) is None


@pytest.mark.parametrize(
    ("said", "responds"),
    [(OK, True), (b"HTTP/1.1 404 Not Found\r\n\r\n", True), (b"", True), (b"SSH-2.0-OpenSSH\r\n", False)],
)
def test_a_server_that_closes_the_connection_unanswered_responds_too(said: bytes, responds: bool) -> None:
    with serving(said) as server:
        assert HostWire().responds(server.at) is responds
        assert server.requests[0].startswith(f"HEAD {MARKER_PATH} HTTP/1.1\r\n")


def test_a_port_whose_container_does_not_listen_does_not_respond() -> None:
    # The engine holds the port: it accepts the connection, and closes it.
    with listening(lambda _connection: None) as at:
        assert not HostWire().responds(at)


def test_a_request_goes_through_the_port_by_tls_or_without(pem: Path) -> None:
    with serving(OK, tls(pem, oldest=TLS12, newest=TLS13)) as secure, serving(OK) as plain:
        assert HostWire().ask(secure.at, MINE, Request("GET", "/a"), tls=True).certificate == certificate(pem)
        assert HostWire().ask(plain.at, MINE, Request("GET", "/a"), tls=False).certificate is None
        assert [server.requests[0].split("\r\n")[0] for server in (secure, plain)] == ["GET /a HTTP/1.1"] * 2


def test_an_ipv6_address_is_connected_to_as_well() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as listener:
        port = listener.getsockname()[1]
        assert HostWire().answers(Endpoint("::1", port))
        assert HostWire().owner(PortBinding("::1", port)) == f"{process_name()} (pid {os.getpid()})"


def process_name() -> str:
    return Path("/proc/self/comm").read_text().strip()


def test_the_process_that_holds_a_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        held = f"{process_name()} (pid {os.getpid()})"
        assert HostWire().owner(PortBinding("127.0.0.1", port)) == held
        assert HostWire().owner(PortBinding(None, port)) == held
        assert HostWire().owner(PortBinding("127.0.0.2", port)) is None
    assert HostWire().owner(PortBinding("127.0.0.1", port)) is None


def test_an_address_that_this_host_does_not_have_holds_no_port() -> None:
    assert "no such address" in (HostWire().owner(PortBinding("192.0.2.1", 8080)) or "")
