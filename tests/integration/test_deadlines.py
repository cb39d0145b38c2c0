"""Every look at a server ends at its deadline, whatever the server does."""

from __future__ import annotations

import itertools
import json
import random
import socket
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

import dns.message
import dns.rrset
import pytest

from stackctl.adapters.net import connect, network, request, resolver, wire
from stackctl.adapters.net.connect import connected, connection_error
from stackctl.adapters.net.deadline import Deadline, TooManyBytes
from stackctl.adapters.net.network import HostNetwork
from stackctl.adapters.net.resolver import Resolver
from stackctl.adapters.net.wire import HostWire
from stackctl.engine.probe.certbot import PROGRAM
from stackctl.model.endpoints import Endpoint, PortBinding
from stackctl.model.fields import Request
from stackctl.model.values import Domain
from stackctl.observed.network import Answer, Lookup, Reach
from stackctl.observed.reply import Failure
from tests.unit.servers import NAME, listening, make_pem

pytestmark = pytest.mark.slow

SECONDS = 0.2
MUCH_LATER = 3.0
"""Far below what any of the servers would take, and far above the deadline of a look on a busy machine."""

MINE = Domain(NAME)
Hostile = Callable[[socket.socket], None]


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    for module, names in {
        network: ("_CA_SECONDS", "_FETCH_SECONDS", "_ANSWER_SECONDS"),
        wire: ("_TIMEOUT",),
        request: ("_TIMEOUT",),
        resolver: ("_TRY_SECONDS", "_LOOKUP_SECONDS"),
        connect: ("_TIMEOUT",),
    }.items():
        for name in names:
            monkeypatch.setattr(module, name, SECONDS)


@pytest.fixture(autouse=True)
def _in_time(_impatient: None) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < MUCH_LATER


def drip(connection: socket.socket, text: bytes, between: float = 0.05) -> None:
    """Send a byte at a time, for ever: never as slowly as the timeout of one call."""
    connection.settimeout(5)
    for byte in itertools.chain(text, itertools.repeat(ord("x"))):
        connection.sendall(bytes([byte]))
        time.sleep(between)


def flood(connection: socket.socket, start: bytes, again: bytes) -> None:
    connection.settimeout(5)
    connection.sendall(start)
    while True:
        connection.sendall(again * 1000)


def after_request(answer: Hostile) -> Hostile:
    def act(connection: socket.socket) -> None:
        connection.recv(4096)
        answer(connection)

    return act


def never(connection: socket.socket) -> None:
    with suppress(TimeoutError):
        while connection.recv(4096):
            pass


def reset(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"

HTTP: dict[str, Hostile] = {
    "never answers": never,
    "resets": after_request(reset),
    "drips the status line": after_request(lambda at: drip(at, b"HTTP/1.1 200 ")),
    "drips a header": after_request(lambda at: drip(at, OK + b"X: ")),
    "endless headers": after_request(lambda at: flood(at, OK, b"X: y\r\n")),
    "an endless header": after_request(lambda at: flood(at, OK + b"X: ", b"y")),
    "an endless status line": after_request(lambda at: flood(at, b"", b"H")),
    "endless interim responses": after_request(lambda at: flood(at, b"", b"HTTP/1.1 100 Continue\r\n\r\n")),
    "garbage": after_request(lambda at: flood(at, b"", bytes(range(256)))),
}

BODIES: dict[str, Hostile] = {
    "drips the body": after_request(lambda at: drip(at, OK + b"\r\n")),
    "drips chunks": after_request(lambda at: drip(at, CHUNKED + b"1\r\nx\r\n" * 1000)),
    "an endless size of a chunk": after_request(lambda at: flood(at, CHUNKED, b"0")),
    "endless trailers": after_request(lambda at: flood(at, CHUNKED + b"0\r\n", b"X: y\r\n")),
}


@pytest.mark.parametrize("answer", [*HTTP.values(), *BODIES.values()], ids=[*HTTP, *BODIES])
def test_a_fetch_ends(answer: Hostile) -> None:
    with listening(answer) as at:
        fetched = HostNetwork(("127.0.0.1", 9)).fetch("127.0.0.1", at.port, NAME, "/x")
    assert fetched.reach in {Reach.BROKEN, Reach.ANSWERED}


@pytest.mark.slow
@pytest.mark.parametrize("answer", [*HTTP.values(), *BODIES.values()], ids=[*HTTP, *BODIES])
def test_the_question_for_the_generation_ends(answer: Hostile) -> None:
    with listening(answer) as at:
        assert HostWire().generation(at) != "expected"
    with listening(answer) as at:
        assert HostWire().responds(at) in {True, False}


@pytest.mark.parametrize("answer", HTTP.values(), ids=HTTP)
def test_a_request_of_explain_ends(answer: Hostile) -> None:
    with listening(answer) as at:
        assert HostWire().ask(at, MINE, Request("GET", "/"), tls=False).failure in {Failure.TIMEOUT, Failure.CLOSED}


def stall_after_hello(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"\x16\x03\x03\x20\x00\x02")
    never(connection)


TLS: dict[str, Hostile] = {
    "never answers": never,
    "stalls in the handshake": stall_after_hello,
    "drips a record": after_request(lambda at: drip(at, b"\x16\x03\x03\x40\x00\x02\x00\x3f\xfc\x03\x03")),
    "endless records": after_request(lambda at: flood(at, b"", b"\x16\x03\x03\x00\x04\x0e\x00\x00\x00")),
    "a certificate without an end": after_request(
        lambda at: flood(at, b"\x16\x03\x03\x00\x04\x0b\xff\xff\xff", b"\x16\x03\x03\x00\x01x")
    ),
    "endless warnings": after_request(lambda at: flood(at, b"", b"\x15\x03\x03\x00\x02\x01\x5a")),
    "resets": after_request(reset),
    "garbage": after_request(lambda at: flood(at, b"", bytes(range(256)))),
}


@pytest.mark.parametrize("answer", TLS.values(), ids=TLS)
@pytest.mark.parametrize("look", ["offered", "served"])
def test_a_handshake_ends(answer: Hostile, look: str) -> None:
    with listening(answer) as at:
        assert getattr(HostWire(), look)(at, [MINE]) == {MINE: None}


@pytest.mark.parametrize("answer", TLS.values(), ids=TLS)
def test_a_handshake_of_explain_ends(answer: Hostile) -> None:
    with listening(answer) as at:
        reply = HostWire().ask(at, MINE, Request("GET", "/"), tls=True)
    assert reply.failure in {Failure.TIMEOUT, Failure.CLOSED, Failure.HANDSHAKE}


def over_tls(pem: Path, answer: Hostile) -> Hostile:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)

    def act(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as secure:
            answer(secure)

    return act


@pytest.mark.parametrize("answer", HTTP.values(), ids=HTTP)
def test_a_request_over_tls_ends(tmp_path: Path, answer: Hostile) -> None:
    with listening(over_tls(make_pem(tmp_path), answer)) as at:
        reply = HostWire().ask(at, MINE, Request("GET", "/"), tls=True)
    assert reply.failure in {Failure.TIMEOUT, Failure.CLOSED}


@pytest.mark.parametrize("answer", [*HTTP.values(), *BODIES.values()], ids=[*HTTP, *BODIES])
def test_the_directory_of_a_ca_ends(tmp_path: Path, answer: Hostile) -> None:
    pem = make_pem(tmp_path, ("localhost",))
    with listening(over_tls(pem, answer)) as at:
        found = HostNetwork().ca_directory(f"https://localhost:{at.port}/dir", None)
    assert found.problem is not None
    assert found.ahead is None


@pytest.mark.parametrize("answer", TLS.values(), ids=TLS)
def test_a_ca_that_does_not_end_the_handshake_is_reported(answer: Hostile) -> None:
    with listening(answer) as at:
        found = HostNetwork().ca_directory(f"https://127.0.0.1:{at.port}/dir", None)
    assert "does not answer" in (found.problem or "")


def test_a_redirect_loop_has_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_ANSWER_SECONDS", 0.3)

    def answer(connection: socket.socket) -> None:
        connection.recv(4096)
        time.sleep(0.15)
        connection.sendall(f"HTTP/1.1 302 Found\r\nLocation: http://{NAME}/again\r\n\r\n".encode())

    with listening(answer) as at:
        monkeypatch.setattr(network, "HTTP_PORT", at.port)
        fetched = HostNetwork(("127.0.0.1", 9)).fetch("127.0.0.1", at.port, NAME, "/x")
    assert fetched.redirect == f"http://{NAME}/again"


def test_many_names_at_a_silent_port_do_not_cost_a_timeout_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_SECONDS_A_NAME", 0.001)
    names = [Domain(f"a{number}.example.com") for number in range(200)]
    with socket.create_server(("127.0.0.1", 0), backlog=500) as silent:
        found = HostWire().served(PortBinding("127.0.0.1", silent.getsockname()[1]), names)
    assert found == dict.fromkeys(names)


def test_a_name_that_is_resolved_for_ever_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    release = Event()

    def stuck(*_: object, **__: object) -> list[object]:
        release.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stuck)
    assert isinstance(connection_error("slow.example.com", 80), TimeoutError)
    assert not HostWire().answers(Endpoint("slow.example.com", 80))
    release.set()


@pytest.mark.parametrize("name", ["", ".", "a..b", "a" * 300, "ä" * 80, "\0", "exa mple", "::1::", "1.2.3.4.5"])
def test_what_is_no_name_of_a_host_does_not_answer(name: str) -> None:
    assert isinstance(connection_error(name, 1), OSError)


def test_each_address_gets_a_share_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        socket.create_server(("127.0.0.1", 0), backlog=0) as full,
        socket.create_server(("127.0.0.1", 0)) as free,
        socket.create_connection(full.getsockname()),
        socket.socket() as waiting,
    ):
        waiting.setblocking(False)
        waiting.connect_ex(full.getsockname())
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", at.getsockname()) for at in (full, free)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        with connected("two.example.com", 80, Deadline(SECONDS)) as stream:
            assert stream.getpeername() == free.getsockname()


def test_a_deadline_of_a_part_is_not_later_than_that_of_the_whole() -> None:
    assert Deadline(50, within=Deadline(1)).left() <= 1
    with pytest.raises(TimeoutError):
        Deadline(0).left()
    with pytest.raises(TooManyBytes):
        Deadline(1, most_bytes=1).received(2)


@contextmanager
def dns_server(udp: Callable[[bytes], list[bytes]], tcp: Hostile = never) -> Iterator[tuple[str, int]]:
    """Run a DNS server that answers each query over UDP with several messages, and a connection by ``tcp``."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams, listening(tcp) as at:
        datagrams.bind(("127.0.0.1", at.port))
        datagrams.settimeout(0.05)
        over = Event()

        def serve() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    query, client = datagrams.recvfrom(4096)
                    for message in udp(query):
                        datagrams.sendto(message, client)

        thread = Thread(target=serve)
        thread.start()
        try:
            yield "127.0.0.1", at.port
        finally:
            over.set()
            thread.join()


def truncated(query: bytes) -> list[bytes]:
    response = dns.message.make_response(dns.message.from_wire(query))
    response.flags |= dns.flags.TC
    return [response.to_wire()]


def endless_aliases(query: bytes) -> list[bytes]:
    asked = dns.message.from_wire(query)
    response = dns.message.make_response(asked)
    name = asked.question[0].name
    response.answer.append(dns.rrset.from_text(name, 1, "IN", "CNAME", f"x{random.random()}.example.com."))
    time.sleep(0.05)
    return [response.to_wire()]


def noise(query: bytes) -> list[bytes]:
    source = random.Random(7)
    return [query[:2] + source.randbytes(source.randrange(600)) for _ in range(50)]


def half(query: bytes) -> list[bytes]:
    return [truncated(query)[0][:cut] for cut in range(1, 12)]


@pytest.mark.parametrize("answer", [lambda _: [], noise, half, lambda query: [query], lambda _: [b""]])
@pytest.mark.parametrize("kind", ["A", "CAA"])
def test_a_dns_server_that_answers_nonsense_is_silent(answer: Callable[[bytes], list[bytes]], kind: str) -> None:
    with dns_server(answer) as at:
        assert Resolver(at).lookup(NAME, kind).answer is Answer.SILENT


@pytest.mark.parametrize(
    "tcp",
    [
        never,
        after_request(reset),
        after_request(lambda at: drip(at, b"\xff\xff")),
        after_request(lambda at: flood(at, b"\xff\xff", b"x")),
    ],
    ids=["never", "resets", "drips", "floods"],
)
def test_a_dns_server_that_drips_over_tcp_is_silent(tcp: Hostile) -> None:
    with dns_server(truncated, tcp) as at:
        assert Resolver(at).lookup(NAME, "A") == Lookup(Answer.SILENT)


def test_endless_aliases_end() -> None:
    with dns_server(endless_aliases) as at:
        found = Resolver(at).lookup(NAME, "A")
    assert not found.records
    assert found.answer is Answer.SILENT or found.loop


@pytest.mark.parametrize(
    "answer",
    [never, after_request(lambda at: drip(at, OK)), after_request(lambda at: flood(at, OK, b"X: y\r\n"))],
    ids=["never", "drips", "floods"],
)
def test_the_program_in_certbots_container_ends(answer: Hostile) -> None:
    with listening(answer) as at:
        arguments = [sys.executable, "-c", PROGRAM, "127.0.0.1", f"http://127.0.0.1:{at.port}/dir", "0.2"]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True, timeout=20)
    found = json.loads(done.stdout)
    assert found["addresses"] == ["127.0.0.1"]
    assert found["problem"]
