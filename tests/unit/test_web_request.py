"""Sends one request through a port, and reads the reply or why there is none."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from stackctl.adapters.net import request
from stackctl.adapters.net.connect import Stream
from stackctl.adapters.net.exchange import exchanged
from stackctl.adapters.net.request import ask
from stackctl.certs.lineage import read_certificate
from stackctl.model.endpoints import PortBinding
from stackctl.model.fields import Request
from stackctl.model.values import Domain
from stackctl.observed.reply import ClientRequest, Failure, Reply
from tests.unit.servers import NAME, listening, make_pem, refusing, serving, silent, tls

MINE = Domain(NAME)


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_pem(tmp_path_factory.mktemp("request"))


@pytest.fixture
def client() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def server_side(pem: Path, oldest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> ssl.SSLContext:
    return tls(pem, oldest=oldest, newest=ssl.TLSVersion.TLSv1_3)


@pytest.mark.parametrize(
    ("said", "reply"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n", Reply(200)),
        (b"HTTP/1.1 301 Moved\r\nLocation: https://a.example.com/x\r\n\r\n", Reply(301, "https://a.example.com/x")),
        (b"HTTP/1.0 302 Found\r\nLocation: /login\r\nSet-Cookie: a=b\r\n\r\n", Reply(302, "/login", sets_cookie=True)),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", Reply(502)),
        (b"", Reply(failure=Failure.CLOSED)),
        (b"SSH-2.0-OpenSSH\r\n", Reply(failure=Failure.CLOSED)),
    ],
)
def test_the_first_answer_is_the_reply_and_no_redirect_is_followed(said: bytes, reply: Reply) -> None:
    with serving(said) as server:
        assert ask(server.at, MINE, Request("GET", "/a?b=c"), None) == reply
        assert [text.split("\r\n")[0] for text in server.requests] == ["GET /a?b=c HTTP/1.1"]
        assert server.headers == {
            "Accept-Encoding": "identity",
            "Host": f"{NAME}:{server.at.port}",
            "User-Agent": "stackctl-explain",
            "Accept": "*/*",
            "Connection": "close",
        }


@pytest.mark.parametrize("oldest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_by_tls_the_certificate_comes_with_the_reply(pem: Path, client: ssl.SSLContext, oldest: ssl.TLSVersion) -> None:
    with serving(b"HTTP/1.1 404 Not Found\r\n\r\n", server_side(pem, oldest)) as server:
        assert ask(server.at, MINE, Request("GET", "/"), client) == Reply(
            404, certificate=read_certificate(pem.read_bytes())
        )


@pytest.mark.parametrize(
    ("port", "secure", "host"),
    [
        (80, False, NAME),
        (443, True, NAME),
        (443, False, f"{NAME}:443"),
        (80, True, f"{NAME}:80"),
        (8443, True, f"{NAME}:8443"),
    ],
)
def test_a_port_is_part_of_the_host_unless_it_is_the_default(port: int, secure: bool, host: str) -> None:
    here, there = socket.socketpair()
    with there:
        there.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        assert exchanged(here, ClientRequest(MINE, port, secure, "/"), {}, lambda response: response.status) == 200
        assert f"\r\nHost: {host}\r\n" in there.recv(4096).decode()


def test_a_name_that_the_server_refuses_is_a_refused_handshake(pem: Path, client: ssl.SSLContext) -> None:
    with serving(b"", server_side(pem)) as server:
        assert ask(server.at, Domain("other.example.com"), Request("GET", "/"), client) == Reply(
            failure=Failure.HANDSHAKE
        )


def closed_at_once(connection: socket.socket) -> None:
    connection.recv(1)


def reset(connection: socket.socket) -> None:
    connection.recv(1)  # the client is connected: earlier, its connect() could end with the reset
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def half_a_hello(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"\x16\x03\x03\x00\x40\x02")
    connection.shutdown(socket.SHUT_WR)
    connection.recv(4096)


@pytest.mark.parametrize("answer", [closed_at_once, reset, half_a_hello])
def test_an_end_without_an_alert_is_a_closed_connection(
    client: ssl.SSLContext, answer: Callable[[socket.socket], None]
) -> None:
    with listening(answer) as at:
        assert ask(at, MINE, Request("GET", "/"), client) == Reply(failure=Failure.CLOSED)


def test_plain_http_at_a_tls_port_is_a_refused_handshake(client: ssl.SSLContext) -> None:
    with listening(lambda connection: connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")) as at:
        assert ask(at, MINE, Request("GET", "/"), client).failure is Failure.HANDSHAKE


def test_a_refused_connection_is_reported(client: ssl.SSLContext) -> None:
    with refusing() as at:
        assert (
            ask(at, MINE, Request("GET", "/"), client)
            == ask(at, MINE, Request("GET", "/"), None)
            == Reply(failure=Failure.CONNECT)
        )


@pytest.mark.parametrize("secure", [True, False])
def test_a_reset_while_connecting_is_a_closed_connection(
    client: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, secure: bool
) -> None:
    def fail(*_: object) -> None:
        raise ConnectionResetError(104, "Connection reset by peer")

    monkeypatch.setattr(Stream, "connect", fail)
    assert ask(PortBinding("127.0.0.1", 443), MINE, Request("GET", "/"), client if secure else None) == Reply(
        failure=Failure.CLOSED
    )


def test_a_server_that_never_answers_is_a_timeout(client: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request, "_TIMEOUT", 0.05)
    with silent() as at:
        assert (
            ask(at, MINE, Request("GET", "/"), client)
            == ask(at, MINE, Request("GET", "/"), None)
            == Reply(failure=Failure.TIMEOUT)
        )


def test_a_connected_server_that_never_answers_is_a_timeout() -> None:
    here, there = socket.socketpair()
    here.settimeout(0.05)
    with there:
        found = exchanged(here, ClientRequest(MINE, 443, tls=True, path="/"), {}, lambda response: response.status)
    assert found is Failure.TIMEOUT
