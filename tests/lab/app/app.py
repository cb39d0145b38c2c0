"""The web app behind the proxy in the demo and the end-to-end tests; standard library only."""

import base64
import hashlib
import json
import os
import signal
import socket
import struct
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from urllib.parse import parse_qs, urlsplit

NAME = os.environ.get("APP_NAME") or socket.gethostname()
PORT = int(os.environ.get("PORT") or 8000)
BOOT = float(os.environ.get("BOOT") or 0)
"""Seconds before it listens."""
WARM = float(os.environ.get("WARM") or 0)
"""Seconds for which it then answers 503."""
IGNORES_SIGTERM = os.environ.get("ON_SIGTERM") == "ignore"
"""Whether it goes on after SIGTERM; by default it exits at once, whatever it is serving."""
STARTED = time.monotonic()

WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # keep-alive, which the proxy should use
    server_version = "lab-app"
    # Headers and body are two writes: with Nagle's algorithm the second is delayed.
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        if self.warming():
            return
        if url.path == "/":
            self.send_json(self.request_seen())
        elif url.path == "/healthz":
            self.send_json({"ok": True})
        elif url.path == "/slow":
            time.sleep(float(parse_qs(url.query).get("seconds", ["1"])[0]))
            self.send_json(self.request_seen())
        elif url.path == "/ws":
            self.websocket()
        else:
            # An app that forces https everywhere would break the ACME challenge if the proxy
            # forwarded it: this redirect on the challenge path shows that it did.
            self.send_response(302)
            host = self.headers.get("Host", NAME)
            self.send_header("Location", f"https://{host}{self.path}")
            self.send_header("Content-Length", "0")
            self.end_headers()

    do_HEAD = do_GET

    def warming(self) -> bool:
        """Answer 503 as long as the app gets ready; return whether it did."""
        if time.monotonic() >= STARTED + BOOT + WARM:
            return False
        self.send_response(503)
        self.send_header("Content-Length", "0")
        self.end_headers()
        return True

    def do_POST(self) -> None:
        length = sum(len(chunk) for chunk in self.body())
        if self.warming():
            return
        self.send_json({**self.request_seen(), "length": length})

    do_PUT = do_POST

    def request_seen(self) -> dict[str, object]:
        return {
            "app": NAME,
            "method": self.command,
            "path": self.path,
            "host": self.headers.get("Host"),
            "protocol": self.request_version,
            "headers": dict(self.headers.items()),
        }

    def send_json(self, value: object) -> None:
        body = json.dumps(value).encode() + b"\n"
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def body(self) -> Iterator[bytes]:
        """Read the whole request body, with a Content-Length or chunked."""
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            while size := int(self.rfile.readline().split(b";")[0], 16):
                yield self.rfile.read(size)
                self.rfile.readline()
            while self.rfile.readline().strip():
                pass  # trailers
            return
        left = int(self.headers.get("Content-Length") or 0)
        while left > 0 and (chunk := self.rfile.read(min(left, 1 << 20))):
            left -= len(chunk)
            yield chunk

    def websocket(self) -> None:
        key = self.headers.get("Sec-WebSocket-Key")
        if self.headers.get("Upgrade", "").lower() != "websocket" or not key:
            self.send_response(426)
            self.send_header("Upgrade", "websocket")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        digest = hashlib.sha1(key.encode() + WEBSOCKET_GUID).digest()
        accept = base64.b64encode(digest).decode()
        self.send_response(101)
        self.send_header("Upgrade", "websocket")
        self.send_header("Connection", "Upgrade")
        self.send_header("Sec-WebSocket-Accept", accept)
        self.end_headers()
        self.close_connection = True
        while frame := read_frame(self.rfile):
            opcode, payload = frame
            if opcode == CLOSE:
                self.wfile.write(make_frame(CLOSE, payload[:2]))
                return
            if opcode == PING:
                self.wfile.write(make_frame(PONG, payload))
            elif opcode == TEXT:
                self.wfile.write(make_frame(TEXT, payload))


def read_frame(stream: BufferedIOBase) -> tuple[int, bytes] | None:
    """Read one unfragmented frame (RFC 6455, 5.2); None at the end of the stream."""
    head = stream.read(2)
    if len(head) < 2:
        return None
    length = head[1] & 0x7F
    if length == 126:
        (length,) = struct.unpack("!H", stream.read(2))
    elif length == 127:
        (length,) = struct.unpack("!Q", stream.read(8))
    mask = stream.read(4) if head[1] & 0x80 else bytes(4)
    payload = stream.read(length)
    return head[0] & 0x0F, bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


def make_frame(opcode: int, payload: bytes) -> bytes:
    """Return one final, unmasked frame, as a server sends it."""
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", 0x80 | opcode, size)
    elif size < 1 << 16:
        head = struct.pack("!BBH", 0x80 | opcode, 126, size)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 127, size)
    return head + payload


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024  # the default of 5 drops connections under load


def main() -> None:
    # For process 1 of a container the default action of a signal does not apply, and a graceful
    # shutdown would wait for /slow: exit at once.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN if IGNORES_SIGTERM else lambda *_: os._exit(0))
    time.sleep(BOOT)
    Server(("", PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
