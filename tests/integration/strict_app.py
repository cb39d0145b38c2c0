"""An app that accepts only what RFC 9112 says of requests, and keeps what else it is sent."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import BinaryIO

_LINE = re.compile(rb"[A-Z][A-Z-]* /[!-~]* HTTP/1\.[01]\r\n\Z")
_HEADER = re.compile(rb"(?P<name>[!#$%&'*+.^_`|~0-9A-Za-z-]+): ?(?P<value>[^\x00-\x08\x0a-\x1f\x7f]*)\r\n\Z")
_CHUNK = re.compile(rb"(?P<size>[0-9a-fA-F]{1,8})\r\n\Z")


class Malformed(Exception):
    """What two programs may read in two ways."""


@dataclass
class StrictApp:
    """The requests that have arrived, as their first lines; and what is wrong with any."""

    port: int
    requests: list[bytes] = field(default_factory=list)
    headers: list[dict[bytes, bytes]] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


@contextmanager
def strict_app() -> Iterator[StrictApp]:
    """Serve on a port of the loopback interface."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listening:
        app = StrictApp(listening.getsockname()[1])
        accepting = threading.Thread(target=_accept, args=(listening, app), daemon=True)
        accepting.start()
        yield app
        listening.shutdown(socket.SHUT_RDWR)
        accepting.join()


def _accept(listening: socket.socket, app: StrictApp) -> None:
    with suppress(OSError):
        while True:
            threading.Thread(target=_serve, args=(listening.accept()[0], app), daemon=True).start()


def _serve(connection: socket.socket, app: StrictApp) -> None:
    with connection, connection.makefile("rb") as file, suppress(OSError):
        connection.settimeout(20)
        try:
            while line := file.readline():
                _request(line, file, app)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
        except Malformed as error:
            app.faults.append(str(error))


def _request(line: bytes, file: BinaryIO, app: StrictApp) -> None:
    if not _LINE.match(line):
        raise Malformed(f"request line {line!r}")
    headers: dict[bytes, bytes] = {}
    while (header := file.readline()) != b"\r\n":
        match = _HEADER.match(header)
        if match is None:
            raise Malformed(f"header {header!r}")
        name = match["name"].lower()
        if name in headers and name in {b"host", b"content-length", b"transfer-encoding"}:
            raise Malformed(f"two of {name!r}")
        headers[name] = match["value"]
    app.requests.append(line)
    app.headers.append(headers)
    length, coding = headers.get(b"content-length"), headers.get(b"transfer-encoding")
    if length is not None and coding is not None:
        raise Malformed("two lengths of a body")
    if length is not None:
        if not length.isdigit():
            raise Malformed(f"length {length!r}")
        file.read(int(length))
    elif coding is not None:
        if coding != b"chunked":
            raise Malformed(f"coding {coding!r}")
        _chunks(file)


def _chunks(file: BinaryIO) -> None:
    while True:
        line = file.readline()
        if not line:
            return  # the client has given up
        match = _CHUNK.match(line)
        if match is None:
            raise Malformed(f"chunk {line!r}")
        size = int(match["size"], 16)
        body = file.read(size + 2)
        if len(body) == size + 2 and not body.endswith(b"\r\n"):
            raise Malformed(f"end of a chunk {body[-2:]!r}")
        if size == 0:
            return
