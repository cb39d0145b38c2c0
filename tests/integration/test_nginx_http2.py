"""Frames and fields of HTTP/2 that break RFC 9113 are refused, and none of them changes what an app gets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress

import pytest
from hpack import Encoder
from hyperframe.frame import (
    ContinuationFrame,
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    PushPromiseFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)

from stackctl.model.backends import Backend
from stackctl.model.matching import Match
from stackctl.model.routing import Route
from tests.integration.real_nginx import Ports, app, serving
from tests.integration.strict_app import StrictApp, strict_app
from tests.unit.build import routed

pytestmark = pytest.mark.e2e

NAME = "a.example.com"
HIDDEN = b"GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n"
PROTOCOL, FLOW, SIZE, COMPRESSION = 1, 3, 6, 9
"""Codes of errors (RFC 9113, section 7)."""

Served = tuple[Ports, StrictApp]
Pair = tuple[bytes, bytes]


@pytest.fixture(scope="module", params=["1.22", "1.30"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with strict_app() as found:
        site = routed(NAME, Route(Match(), Backend((app(found.port),))))
        with serving(tmp_path_factory.mktemp("http2"), [site], version=request.param) as ports:
            yield ports, found


def answer(port: int, sent: bytes) -> str:
    """Send frames on a new connection; return the status, or the error by which they are refused."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    plain = socket.create_connection(("127.0.0.1", port), timeout=20)
    received = b""
    with context.wrap_socket(plain, server_hostname=NAME) as connection, suppress(ConnectionError, ssl.SSLError):
        connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + SettingsFrame(0).serialize() + sent)
        while part := connection.recv(1 << 16):
            received += part
            if (found := _first(received)) is not None:
                return found
    return _first(received) or "closed"


def _first(received: bytes) -> str | None:
    """Return the first status or error among frames."""
    while len(received) >= 9:
        frame, length = Frame.parse_frame_header(memoryview(received[:9]))
        if len(received) < 9 + length:
            return None
        frame.parse_body(memoryview(received[9 : 9 + length]))
        received = received[9 + length :]
        if isinstance(frame, GoAwayFrame):
            return f"connection {frame.error_code}"
        if isinstance(frame, RstStreamFrame):
            return f"stream {frame.error_code}"
        if isinstance(frame, HeadersFrame):
            # nginx sends these statuses as one byte, of the static table (RFC 7541, appendix A).
            return {0x88: "200", 0x8C: "400"}[frame.data[0]]
    return None


def fields(*more: Pair, without: Sequence[bytes] = ()) -> bytes:
    base = [(b":method", b"GET"), (b":scheme", b"https"), (b":path", b"/seen"), (b":authority", NAME.encode())]
    return bytes(Encoder().encode([*(pair for pair in base if pair[0] not in without), *more], huffman=False))


def request(*more: Pair, without: Sequence[bytes] = (), body: bytes | None = None, ends: bool = True) -> bytes:
    flags = [*(["END_HEADERS"] if ends else []), *(["END_STREAM"] if body is None else [])]
    head = HeadersFrame(1, fields(*more, without=without), flags=flags).serialize()
    return head if body is None else head + DataFrame(1, body, flags=["END_STREAM"]).serialize()


def raw(kind: int, flags: int, stream: int, body: bytes) -> bytes:
    return len(body).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + body


FRAMES = {
    "DATA on stream 0": (raw(0, 0, 0, b"x"), PROTOCOL),
    "HEADERS on an even stream": (HeadersFrame(2, fields(), flags=["END_HEADERS"]).serialize(), PROTOCOL),
    "HEADERS on stream 0": (raw(1, 5, 0, fields()), PROTOCOL),
    "an acknowledgement of settings with a body": (raw(4, 1, 0, bytes(6)), SIZE),
    "settings of five bytes": (raw(4, 0, 0, bytes(5)), SIZE),
    "settings on a stream": (raw(4, 0, 1, bytes(6)), PROTOCOL),
    "a window of 2^32 - 1": (raw(4, 0, 0, b"\0\4\xff\xff\xff\xff"), FLOW),
    "a ping of seven bytes": (raw(6, 0, 0, bytes(7)), SIZE),
    "a ping on a stream": (raw(6, 0, 1, bytes(8)), PROTOCOL),
    "a window that grows by 0": (raw(8, 0, 0, bytes(4)), PROTOCOL),
    "a window that grows beyond 2^31": (WindowUpdateFrame(0, 2**31 - 1).serialize() * 2, FLOW),
    "CONTINUATION alone": (ContinuationFrame(1, fields(), flags=["END_HEADERS"]).serialize(), PROTOCOL),
    "PING before CONTINUATION": (request(ends=False) + PingFrame(0, bytes(8)).serialize(), PROTOCOL),
    "a stream that depends on itself": (PriorityFrame(3, depends_on=3).serialize(), PROTOCOL),
    "PUSH_PROMISE": (PushPromiseFrame(1, 2, fields(), flags=["END_HEADERS"]).serialize(), PROTOCOL),
    "fields that are no HPACK": (raw(1, 5, 1, b"\xff" * 7), COMPRESSION),
    "padding longer than the frame": (raw(1, 0x0D, 1, b"\xff" + fields()), PROTOCOL),
}
FIELDS = {
    "an upper-case name": request((b"X-Upper", b"1")),
    "no path": request(without=(b":path",)),
    "no method": request(without=(b":method",)),
    "no scheme": request(without=(b":scheme",)),
    "no authority": request(without=(b":authority",)),
    "two paths": request((b":path", b"/hidden")),
    "an unknown pseudo-header": request((b":hidden", b"1")),
    "that of a response": request((b":status", b"200")),
    "a line break in a value": request((b"x", b"a\r\nX-Hidden: b")),
    "a line feed in a value": request((b"x", b"a\nX-Hidden: b")),
    "a zero byte in a value": request((b"x", b"a\0b")),
    "a line break in a name": request((b"x\r\nx-hidden", b"b")),
    "a colon in a name": request((b"x-hidden:y", b"b")),
    "a space in a name": request((b"x hidden", b"b")),
    "a space in the path": request((b":path", b"/hidden HTTP/1.1"), without=(b":path",)),
    "a line break in the path": request((b":path", b"/hidden HTTP/1.1\r\nX: y"), without=(b":path",)),
    "a path without its slash": request((b":path", b"hidden"), without=(b":path",)),
    "an empty path": request((b":path", b""), without=(b":path",)),
    "a request in the method": request((b":method", b"GET /hidden HTTP/1.1\r\nX: "), without=(b":method",)),
    "a method in lower case": request((b":method", b"get"), without=(b":method",)),
    "a space in the authority": request((b":authority", b"a.example.com hidden"), without=(b":authority",)),
    "a line break in the authority": request((b":authority", b"a.example.com\r\nX: y"), without=(b":authority",)),
    "another host": request((b"host", b"hidden.example.com")),
    "two lengths": request((b"content-length", b"5"), (b"content-length", b"6"), body=b"abcde"),
}
OF_THE_CONNECTION = (
    *((b"connection", b"x-forwarded-for"), (b"transfer-encoding", b"chunked")),
    *((b"upgrade", b"h2c"), (b"te", b"gzip")),
)


@pytest.mark.parametrize("what", FRAMES)
def test_a_frame_that_breaks_the_rules_ends_the_connection(served: Served, what: str) -> None:
    sent, code = FRAMES[what]
    assert answer(served[0].https, sent) == f"connection {code}"


@pytest.mark.parametrize("what", FIELDS)
def test_a_malformed_request_reaches_no_app(served: Served, what: str) -> None:
    ports, strict = served
    del strict.requests[:]
    # nginx before 1.23 ends the stream of a request that it cannot read.
    assert answer(ports.https, FIELDS[what]) in {"400", f"stream {PROTOCOL}"}
    assert (strict.requests, strict.faults) == ([], [])


@pytest.mark.parametrize("length", [b"2", b"9"])
def test_a_body_of_another_length_ends_the_request(served: Served, length: bytes) -> None:
    # The app may have got its head, as bodies pass through, but not a byte more than it was told.
    ports, strict = served
    assert answer(ports.https, request((b"content-length", length), body=HIDDEN)) == "400"
    assert answer(ports.https, request()) == "200"
    assert strict.faults == []
    assert not any(b"hidden" in line for line in strict.requests)


def test_fields_of_a_connection_do_not_reach_an_app(served: Served) -> None:
    # RFC 9113, section 8.2.2, calls them malformed; nginx leaves them out.
    ports, strict = served
    del strict.headers[:]
    for pair in OF_THE_CONNECTION:
        assert answer(ports.https, request(pair)) == "200"
    assert strict.faults == []
    for headers in strict.headers:
        assert not headers.keys() & {b"transfer-encoding", b"upgrade", b"te", b"connection"}
        assert b"x-forwarded-for" in headers


def test_many_streams_that_are_reset_cost_nobody_else_an_answer(served: Served) -> None:
    ports, strict = served
    reset = b"".join(
        HeadersFrame(stream, fields(), flags=["END_HEADERS", "END_STREAM"]).serialize()
        + RstStreamFrame(stream, error_code=8).serialize()
        for stream in range(1, 20_001, 2)
    )
    assert answer(ports.https, reset) != "200"
    assert answer(ports.https, request()) == "200"
    assert strict.faults == []
