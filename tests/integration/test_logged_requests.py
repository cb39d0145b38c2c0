"""Whatever a client sends, a real proxy's line about it is one object, and says which site was asked."""

from __future__ import annotations

import json
import random
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from stackctl.model.matching import Match
from stackctl.model.routing import Answer, Route
from stackctl.proxies.nginx.log import misspoken
from stackctl.proxies.registry import PROXIES
from stackctl.proxies.trace import Misspoken
from tests.e2e.helpers import wait_until
from tests.integration import real_haproxy, real_nginx
from tests.integration.real_nginx import Ports
from tests.unit.build import routed

pytestmark = pytest.mark.e2e

NAME, COUNT = "a.example.com", 10_000
HOSTILE = (
    *(
        b'"',
        b"\\",
        b"'",
        b"{",
        b"}",
        b"\\x22",
        b'","status":200,"x":"',
        b"\x1b[2J\x1b[31m",
        b"\x07",
        b"\x08" * 20,
        b"\x7f",
    ),
    *(
        b"\xff\xfe",
        b"\xc3",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        "é😀\u2028\u202e\u009b2J".encode(),
        b"\xc0\xaf",
        b"%00%0a",
        b"\t",
    ),
)


Served = tuple[str, Ports, Path]


@pytest.fixture(scope="module", params=["nginx", "haproxy"])
def served(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Ports, Path]]:
    folder, log = tmp_path_factory.mktemp("proxy"), tmp_path_factory.mktemp("log") / "log"
    folder.chmod(0o755)
    serving = real_nginx.serving if request.param == "nginx" else real_haproxy.serving
    with serving(folder, [routed(NAME, Route(Match(), Answer(200, "here")))], log=log) as ports:
        yield request.param, ports, log


def requests(count: int) -> Iterator[bytes]:
    """Requests with anything in each place that is logged; ten on a connection, the last one broken."""
    dice = random.Random(14)

    def plain() -> bytes:
        return bytes(dice.choices(range(33, 127), k=3))

    def some() -> bytes:
        parts = [
            dice.choice(HOSTILE) if dice.random() < 0.4 else bytes(dice.choices(range(33, 127), k=3)) for _ in range(4)
        ]
        return b"".join(parts)

    for _ in range(count):
        target = some().replace(b" ", b"").replace(b"\t", b"")
        host = NAME.encode() if dice.random() < 0.7 else some()
        yield b"\r\n".join(
            [
                *(b"GET /" + target + b" HTTP/1.1", b"Host: " + host, b"User-Agent: " + some(), b"Referer: " + some()),
                *(b"Authorization: Basic " + some(), b"X-Request-ID: " + some(), b"Connection: close", b"", b""),
            ]
        )


def test_every_line_is_one_object(served: Served) -> None:
    kind, ports, log = served
    sent = 0
    for one in requests(COUNT):
        with socket.create_connection(("127.0.0.1", ports.http), 10) as connection, suppress(OSError):
            connection.sendall(one)
            while connection.recv(65536):
                pass
            sent += 1
    last = b"GET /the-last HTTP/1.1\r\nHost: a.example.com\r\nConnection: close\r\n\r\n"
    with socket.create_connection(("127.0.0.1", ports.http), 10) as connection:
        connection.sendall(last)
        while connection.recv(65536):
            pass
    wait_until(lambda: b"/the-last" in log.read_bytes(), 20, "the last request is logged")

    lines = log.read_bytes().split(b"\n")[:-1]
    assert len(lines) > COUNT / 2
    read = PROXIES[kind].logged_request
    for line in lines:
        assert all(32 <= byte != 127 for byte in line), line
        found = json.loads(line)
        assert found["status"] in range(-1, 600), line
        request = read(line.decode())
        assert request is not None, line
        if found["status"] == 200:
            assert found["site"] == NAME
    assert sum(json.loads(line)["status"] == 200 for line in lines) > 100


def test_tls_on_the_port_for_plain_http_is_seen_in_objects_too(tmp_path: Path) -> None:
    folder, log = tmp_path / "proxy", tmp_path / "log"
    folder.mkdir()
    tmp_path.chmod(0o755)
    hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\x93\xf7\x18\x16B\r\n\r\n"
    with real_nginx.serving(folder, [routed(NAME, Route(Match(), Answer(200, "here")))], log=log) as ports:
        with socket.create_connection(("127.0.0.1", ports.http), 10) as connection:
            connection.sendall(hello)
            while connection.recv(65536):
                pass
        wait_until(lambda: log.read_bytes().endswith(b"\n"), 20, "the handshake is logged")
    assert misspoken(log.read_text()) == {("127.0.0.1", Misspoken.TLS_TO_HTTP): 1}
