"""Who gets alerts, in a thread each: a web server that keeps what it is sent, and a mail server."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from tests.unit.servers import listening


@dataclass
class Received:
    """The requests that came, as method and path, with their headers and bodies; ``status`` is the answer."""

    address: str
    port: int = 0
    status: int = 200
    paths: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://{self.address}:{self.port}"


@contextmanager
def web_receiver(address: str = "127.0.0.1", port: int = 0) -> Iterator[Received]:
    received = Received(address)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            received.paths.append(f"{self.command} {self.path}")
            self.send_response(received.status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            received.bodies.append(json.loads(body))
            received.headers.append(dict(self.headers))
            self.do_GET()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Nothing: the tests read what came."""

    with ThreadingHTTPServer((address, port), Handler) as server:
        received.port = server.server_address[1]
        thread = Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield received
        finally:
            server.shutdown()
            thread.join(10)


@contextmanager
def mail_receiver() -> Iterator[tuple[int, list[str]]]:
    """A mail server without TLS; yield its port and the mails that came."""
    mails: list[str] = []

    def answer(connection: socket.socket) -> None:
        with connection.makefile("rw", encoding="utf-8", newline="\r\n") as stream:

            def say(text: str) -> None:
                stream.write(f"{text}\r\n")
                stream.flush()

            say("220 ready")
            for line in stream:
                if line.upper().startswith("DATA"):
                    say("354 go on")
                    mails.append("".join(iter(stream.readline, ".\r\n")))
                    say("250 taken")
                elif line.upper().startswith("QUIT"):
                    say("221 bye")
                    return
                else:
                    say("250 fine")

    with listening(answer) as at:
        yield at.port, mails
