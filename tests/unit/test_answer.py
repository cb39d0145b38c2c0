"""Sends one request, and reads the complete answer."""

from __future__ import annotations

import hashlib
import ssl
from pathlib import Path

import pytest

from stackctl.adapters.net import answer as module
from stackctl.adapters.net.answer import answer
from stackctl.observed.reply import ClientRequest, Failure, Response
from tests.unit.servers import NAME, make_pem, refusing, serving, silent, tls

CLIENT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
CLIENT.check_hostname, CLIENT.verify_mode = False, ssl.CERT_NONE


def digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def test_status_headers_and_body_are_read_whole() -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Type: text/css\r\nX-A: 1\r\nx-a: 2\r\nContent-Length: 5\r\n\r\nhello and more"
    with serving(said) as server:
        found = answer(server.at, ClientRequest(NAME, 443, False, "/a?b=c", "GET"), CLIENT)
        assert found == Response(
            200,
            (("content-type", "text/css"), ("x-a", "1"), ("x-a", "2"), ("content-length", "5")),
            5,
            digest(b"hello"),
        )
        assert server.requests[0].startswith("GET /a?b=c HTTP/1.1\r\n")
        assert server.headers["Host"] == f"{NAME}:443"


def test_the_version_of_the_server_in_its_own_pages_is_not_compared() -> None:
    def of(program: str, shown: str) -> str:
        body = f"<h1>404 Not Found</h1>\r\n<hr><center>{shown}</center>"
        said = f"HTTP/1.1 404 Not Found\r\nServer: {program}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        with serving(said.encode()) as server:
            return answer(server.at, ClientRequest(NAME, 80, False, "/"), CLIENT).digest

    same = {
        of("nginx", "nginx"),
        of("nginx/1.30.6", "nginx/1.30.6"),
        of("nginx", "nginx/1.22.1"),
        of("nginx/1.1", "nginx"),
    }
    assert len(same | {of("nginx/1.24.0 (Ubuntu)", "nginx/1.24.0 (Ubuntu)")}) == 1
    assert same.isdisjoint([of("nginx", "Apache"), of("nginx", "nginx 2"), of("(+", "nginx/1.30.6")])


@pytest.mark.parametrize(("port", "host"), [(443, NAME), (8443, f"{NAME}:8443")])
def test_over_tls_the_host_is_the_sni(tmp_path: Path, port: int, host: str) -> None:
    context = tls(make_pem(tmp_path), oldest=ssl.TLSVersion.TLSv1_2, newest=ssl.TLSVersion.TLSv1_3)
    with serving(b"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", context) as server:
        found = answer(server.at, ClientRequest(NAME, port, True, "/", "HEAD"), CLIENT)
        assert (found.status, found.headers[0]) == (301, ("location", "/x"))
        assert server.headers["Host"] == host


@pytest.mark.parametrize("said", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"])
def test_an_answer_that_is_cut_short_is_closed(said: bytes) -> None:
    with serving(said) as server:
        assert answer(server.at, ClientRequest(NAME, 80, False, "/"), CLIENT).failure is Failure.CLOSED


def test_no_server_is_no_answer() -> None:
    with refusing() as at:
        assert answer(at, ClientRequest(NAME, 80, False, "/"), CLIENT) == Response(failure=Failure.CONNECT)


def test_a_server_that_says_nothing_ends_with_the_deadline() -> None:
    with silent() as at:
        assert answer(at, ClientRequest(NAME, 80, False, "/"), CLIENT, timeout=0.2) == Response(failure=Failure.TIMEOUT)


def test_a_body_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 100)
    with serving(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 150) as server:
        found = answer(server.at, ClientRequest(NAME, 80, False, "/"), CLIENT)
        assert (found.status, found.length) == (200, 100)
