"""Hostile and careless clients of one site, over TLS on the loopback interface, without threads of their own."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass

from tests.e2e.helpers import trusting

MB = 1 << 20
CHUNK = bytes(1 << 16)


@dataclass(frozen=True)
class Target:
    """A site at an address, asked over HTTPS."""

    address: str
    name: str
    port: int = 443

    def connect(self, *, receive_buffer: int | None = None) -> ssl.SSLSocket:
        plain = socket.socket()
        if receive_buffer is not None:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        plain.settimeout(30)
        plain.connect((self.address, self.port))
        return trusting(None).wrap_socket(plain, server_hostname=self.name)

    def head(self, start: str, *headers: str) -> bytes:
        return "\r\n".join([f"{start} HTTP/1.1", f"Host: {self.name}", *headers, "", ""]).encode()


def upload(target: Target, size: int, path: str = "/upload", *, chunked: bool = False) -> bytes:
    """Send a body of ``size`` bytes; return the answer."""
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    with target.connect() as connection:
        connection.sendall(target.head(f"POST {path}", framing, "Connection: close"))
        for start in range(0, size, len(CHUNK)):
            part = CHUNK[: size - start]
            connection.sendall(b"%x\r\n%b\r\n" % (len(part), part) if chunked else part)
        if chunked:
            connection.sendall(b"0\r\n\r\n")
        return _rest(connection)


def _rest(connection: ssl.SSLSocket) -> bytes:
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


@contextlib.contextmanager
def stalled_uploads(target: Target, count: int, sent: int, path: str = "/upload") -> Iterator[list[ssl.SSLSocket]]:
    """Clients that send ``sent`` bytes of a larger body and then nothing, until the block ends."""
    with contextlib.ExitStack() as opened:
        held = [opened.enter_context(target.connect()) for _ in range(count)]
        for connection in held:
            connection.sendall(target.head(f"POST {path}", f"Content-Length: {sent + 4 * MB}"))
        for connection in held:
            connection.settimeout(0.5)
            # An app that does not read lets it wait: that is enough.
            with contextlib.suppress(TimeoutError, ssl.SSLError):
                for start in range(0, sent, len(CHUNK)):
                    connection.sendall(CHUNK[: sent - start])
        yield held


@contextlib.contextmanager
def stalled_readers(target: Target, count: int, path: str) -> Iterator[list[ssl.SSLSocket]]:
    """Clients that ask for ``path``, read the first bytes and then nothing, until the block ends."""
    with contextlib.ExitStack() as opened:
        held = [opened.enter_context(target.connect(receive_buffer=4096)) for _ in range(count)]
        for connection in held:
            connection.sendall(target.head(f"GET {path}"))
        for connection in held:
            start = connection.recv(1000)
            assert start.startswith(b"HTTP/1.1 200"), f"a reader got {start[:60]!r}"
        yield held


@contextlib.contextmanager
def stalled_requests(target: Target, count: int, sent: bytes = b"") -> Iterator[list[ssl.SSLSocket]]:
    """Clients that send the start of a request, ``sent`` after its first lines, and then nothing."""
    with contextlib.ExitStack() as opened:
        held = []
        for _ in range(count):
            connection = opened.enter_context(target.connect())
            connection.sendall(target.head("GET /").removesuffix(b"\r\n") + sent)
            held.append(connection)
        yield held


def slow_read(connection: ssl.SSLSocket, size: int, rate: float, seconds: float) -> int:
    """Read at most ``size`` bytes at ``rate`` bytes a second, for so many seconds; return how many came."""
    read, begun = 0, time.monotonic()
    while read < size and (passed := time.monotonic() - begun) < seconds:
        if read > rate * passed:
            time.sleep(0.01)
            continue
        part = connection.recv(1 << 16)
        if not part:
            break
        read += len(part)
    return read
