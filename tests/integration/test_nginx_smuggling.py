"""No request reaches an app that the proxy did not read as one, whatever a client sends over HTTP/1.1."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from stackctl.model.backends import Backend
from stackctl.model.matching import Match
from stackctl.model.routing import Route
from tests.integration.real_nginx import Ports, app, serving
from tests.integration.strict_app import StrictApp, strict_app
from tests.unit.build import routed

pytestmark = pytest.mark.e2e

NAME = "a.example.com"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a.example.com\r\n\r\n"
CHUNKS = b"0\r\n\r\n" + HIDDEN


def post(
    *headers: bytes,
    body: bytes = CHUNKS,
    line: bytes = b"POST /seen HTTP/1.1",
    host: bytes = b"Host: a.example.com",
) -> bytes:
    return b"\r\n".join([line, host, *headers, b"", body])


LENGTH = b"Content-Length: %d" % len(CHUNKS)
CHUNKED = b"Transfer-Encoding: chunked"
CODINGS = tuple(
    one.replace(b"TE", b"Transfer-Encoding")
    for one in (
        *(
            b"TE : chunked",
            b"TE:\tchunked",
            b"TE:\x0bchunked",
            b"TE: xchunked",
            b"TE: chunked, identity",
            b" TE: chunked",
        ),
        *(b"TE: identity, chunked", b"TE:\r\n chunked", b"TE: x\r\nTE: chunked", b"TE: \xffchunked", b"TE: CHUNKED"),
        *(b'TE: "chunked"', b"TE: chunked\x00", b"X: y\nTE: chunked", b"X: y\rTE: chunked", b"TE\x00: chunked"),
        *(
            b"Transfer_Encoding: chunked",
            b"TE: chunked;q=1",
            b"TE: chunked\r\nTE: chunked",
            b"TE: chunked,",
            b" TE: chunked",
        ),
    )
)
LENGTHS = tuple(
    one.replace(b"CL", b"Content-Length")
    for one in (
        *(b"CL: +5", b"CL: -5", b"CL: 0x5", b"CL: 5, 5", b"CL: 5 5", b"CL : 5", b"CL: 5\x00", b"CL:\r\n 5", b"CL: "),
        *(b"CL: 5\r\nCL: 60", b"CL: 5\r\nCL: 5", b"CL: 99999999999999999999", b"Content_Length: 5", b"CL: 5.0"),
        *(b"CL: 5\r\nConnection: CL", b"CL: 05", b"CL: 5\x0b"),
    )
)
BODIES = (
    *(b"0x5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n"),
    *(b"5;a=\nb\r\nhello\r\n0\r\n\r\n", b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"5\r\nhelloX0\r\n\r\n"),
    *(b"5\r\nhello\r\n0\r\nX: y\r\n\r\n", b"5\r\nhello\r\n0\r\n\r", b"\r\n5\r\nhello\r\n0\r\n\r\n", b"0\n\r\n"),
    *(b"5\r\nhello\r0\r\n\r\n", b"5;" + b"x" * 5000 + b"\r\nhello\r\n0\r\n\r\n"),
    b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n",
)
HEADS = (
    *(b"POST  /seen HTTP/1.1", b"POST /seen  HTTP/1.1", b"POST\t/seen\tHTTP/1.1", b"POST /se en HTTP/1.1"),
    *(b"POST /seen HTTP/1.0", b"POST /seen", b"POST /seen HTTP/2.0", b"POST /seen HTTP/1.10", b"POST /seen http/1.1"),
    *(b"POST http://b.example.com/seen HTTP/1.1", b"POST //b.example.com/seen HTTP/1.1", b"POST * HTTP/1.1"),
    *(b"POST /se\x00en HTTP/1.1", b"POST /se\ren HTTP/1.1", b"POST /seen#x HTTP/1.1", b"POST /%0d%0aX:y HTTP/1.1"),
    *(b"G\x00ET / HTTP/1.1", b"CONNECT a.example.com:443 HTTP/1.1", b"TRACE / HTTP/1.1", b"PRI * HTTP/2.0"),
    b"POST /seen HTTP/1.1 ",
)
HOSTS = (
    *(b"Host: a.example.com\r\nHost: b.example.com", b"Host: a.example.com, b.example.com", b"Host: a.example.com@b"),
    *(b"Host: a.example.com/x", b"Host: a.example.com\r\n b", b"Host : a.example.com", b"Host: a.example.com:80:90"),
)
CORPUS: tuple[bytes, ...] = (
    post(LENGTH, CHUNKED),
    post(CHUNKED, LENGTH),
    *(post(LENGTH, one) for one in CODINGS),
    *(post(one) for one in CODINGS),
    *(post(one) for one in LENGTHS),
    *(post(one, CHUNKED) for one in LENGTHS),
    *(post(CHUNKED, body=body + HIDDEN) for body in BODIES),
    *(post(CHUNKED, line=line) for line in HEADS),
    *(post(LENGTH, line=line) for line in HEADS),
    *(post(LENGTH, host=host) for host in HOSTS),
    post(b"Connection: close, X-Forwarded-For, Host", LENGTH),
    post(b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABkAAQAAP__", LENGTH),
    post(b"Expect: 100-continue", CHUNKED),
    post(b"X" * 200 + b": y", b"X\x00Y: z", b"X Y: z", b": z", b"no colon", LENGTH),
)


Served = tuple[Ports, StrictApp]


@pytest.fixture(scope="module", params=["1.22", "1.30"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with strict_app() as found:
        site = routed(NAME, Route(Match(), Backend((app(found.port),))))
        with serving(tmp_path_factory.mktemp("smuggling"), [site], version=request.param) as ports:
            yield ports, found


def statuses(port: int, sent: bytes) -> list[bytes]:
    """Send bytes, and return the status of each answer until nothing comes for a moment."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection, suppress(OSError):
        connection.sendall(sent)
        connection.settimeout(1)
        while part := connection.recv(1 << 16):
            received += part
    return [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]


def test_an_app_gets_each_request_that_it_answers_and_no_other(served: Served) -> None:
    ports, strict = served
    assert statuses(ports.http, post(CHUNKED, body=b"5\r\nhello\r\n0\r\n\r\n")) == [b"200"], "what is right passes"
    assert statuses(ports.http, HIDDEN + HIDDEN) == [b"200", b"200"]
    del strict.requests[:]
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda sent: statuses(ports.http, sent), CORPUS))
    assert strict.faults == []
    # A body that never ends has no answer.
    assert len(strict.requests) <= sum(found.count(b"200") or not found for found in answers)
    for sent, found in zip(CORPUS, answers, strict=True):
        head = sent.partition(b"\r\n\r\n")[0].split(b"\r\n")
        assert not (CHUNKED in head and LENGTH in head and b"200" in found), sent
