"""A proxy between certbot and Pebble that answers like a failing CA.

Pebble builds its URLs from the Host header, which is passed on unchanged: every URL points to this proxy.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from tests.faults.authority import Authority, free_port

PROBLEM = {"Content-Type": "application/problem+json"}


class Answer(NamedTuple):
    """A response of the CA."""

    status: int
    headers: dict[str, str]
    body: bytes


Ask = Callable[[], Answer]
Fault = Callable[[str, Ask], Answer]
"""Answers a request, or forwards it to Pebble."""


def honest(path: str, ask: Ask) -> Answer:
    del path
    return ask()


def slow(seconds: float) -> Fault:
    """Delay the response to the first new order."""
    late = threading.Event()

    def fault(path: str, ask: Ask) -> Answer:
        if path.startswith("/order-plz") and not late.is_set():
            late.set()
            time.sleep(seconds)  # the fault itself
        return ask()

    return fault


def internal_error(path: str, ask: Ask) -> Answer:
    """Answer every request with 500 and no problem document."""
    del path, ask
    return Answer(500, {"Content-Type": "text/html"}, b"<html>oops</html>")


def limited(path: str, ask: Ask) -> Answer:
    """Answer new orders with rateLimited."""
    if not path.startswith("/order-plz"):
        return ask()
    real = ask()  # for the nonce
    problem = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": "too many new orders recently"}
    nonce = real.headers.get("Replay-Nonce", "")
    headers = {**PROBLEM, "Retry-After": "3600", "Replay-Nonce": nonce}
    return Answer(429, headers, json.dumps({**problem, "status": 429}).encode())


def nonces(share: int) -> Fault:
    """Reject every ``share``-th valid nonce, in addition to those that Pebble rejects."""
    seen = [0]

    def fault(path: str, ask: Ask) -> Answer:
        real = ask()
        if path.startswith(("/dir", "/nonce-plz")) or real.status >= 400:
            return real
        seen[0] += 1
        if seen[0] % share or not path.startswith(("/authZ", "/my-order")):
            return real
        problem = {"type": "urn:ietf:params:acme:error:badNonce", "detail": "JWS has an invalid anti-replay nonce"}
        nonce = real.headers.get("Replay-Nonce", "")
        return Answer(400, {**PROBLEM, "Replay-Nonce": nonce}, json.dumps({**problem, "status": 400}).encode())

    return fault


def processing(path: str, ask: Ask) -> Answer:
    """Keep finalised orders in the state 'processing'."""
    real = ask()
    if not path.startswith(("/my-order", "/finalize-order")) or real.status >= 400:
        return real
    order: dict[str, Any] = json.loads(real.body)
    if order.get("status") != "valid":
        return real
    order.pop("certificate", None)
    return real._replace(body=json.dumps({**order, "status": "processing"}).encode())


def wrong_certificate(chain: bytes) -> Fault:
    """Return a certificate for another key than the request's."""

    def fault(path: str, ask: Ask) -> Answer:
        real = ask()
        return real._replace(body=chain) if path.startswith("/certZ") else real

    return fault


@dataclass
class Proxy:
    """The CA that certbot connects to: ``fault`` can change at any time, ``down`` refuses connections."""

    ca: Authority
    port: int = field(default_factory=free_port)
    fault: Fault = honest
    _server: ThreadingHTTPServer | None = None

    @property
    def directory(self) -> str:
        return self.ca.directory_at(self.port)

    def up(self) -> None:
        server = _Server(("0.0.0.0", self.port), _handler(self))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.ca.folder / "cert.pem", self.ca.folder / "key.pem")
        # The handshake runs in the connection's own thread, so a silent client does not block others.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        self._server = server

    def down(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def ask(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        """Forward a request to Pebble."""
        upstream = http.client.HTTPSConnection("127.0.0.1", self.ca.port, context=self.ca.context, timeout=60)
        try:
            upstream.request(method, path, body, headers)
            response = upstream.getresponse()
            hop = {"connection", "transfer-encoding", "content-length", "date"}
            kept = {key: value for key, value in response.getheaders() if key.lower() not in hop}
            return Answer(response.status, kept, response.read())
        finally:
            upstream.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, request: object, client_address: object) -> None:
        """Print no traceback when a client disconnects."""


def _handler(proxy: Proxy) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else None
            wanted = ("Host", "Content-Type", "User-Agent", "Accept")
            headers = {key: self.headers[key] for key in wanted if key in self.headers}
            reply = proxy.fault(self.path, lambda: proxy.ask(self.command, self.path, headers, body))
            self.send_response(reply.status)
            for key, value in reply.headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_GET = do_HEAD = do_POST = _answer

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (named by http.server)
            """Log nothing."""

    return Handler


@contextmanager
def between(ca: Authority) -> Iterator[Proxy]:
    """Run a proxy."""
    proxy = Proxy(ca)
    proxy.up()
    try:
        yield proxy
    finally:
        proxy.down()
