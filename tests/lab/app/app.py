"""The web app behind the proxy in the demo and the end-to-end tests; standard library only.

On sockets, as the tests start hundreds of it: what it needs for an echo is imported in a fraction of the time that
http.server takes, and answered in a fraction of its work.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import threading
import time

NAME = os.environ.get("APP_NAME") or socket.gethostname()
PORT = int(os.environ.get("PORT") or 8000)
BOOT = float(os.environ.get("BOOT") or 0)
"""Seconds before it listens."""
WARM = float(os.environ.get("WARM") or 0)
"""Seconds for which it then answers 503."""
IGNORES_SIGTERM = os.environ.get("ON_SIGTERM") == "ignore"
"""Whether it goes on after SIGTERM; by default it exits at once, whatever it is serving."""
STARTED = time.monotonic()

REASONS = {
    100: "Continue",
    101: "Switching Protocols",
    200: "OK",
    302: "Found",
    400: "Bad Request",
    426: "Upgrade Required",
    501: "Not Implemented",
    503: "Service Unavailable",
}
LONGEST_LINE = 1 << 16
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA


class Connection:
    """One connection of a client's, and the request on it that is being answered."""

    def __init__(self, client: socket.socket) -> None:
        self._client = client
        self._input = client.makefile("rb")
        self.command = self.path = self.protocol = ""
        self.headers: dict[str, str] = {}
        self.kept = True

    def serve(self) -> None:
        """Answer until the client or the app has enough."""
        with self._client, self._input:
            try:
                while self.kept and (line := self._input.readline(LONGEST_LINE)):
                    if line.strip():
                        self._read_head(line)
                        self._answer()
            except OSError:
                pass  # the client has gone
            except ValueError:
                self.kept = False
                self._send(400)

    def _read_head(self, line: bytes) -> None:
        self.command, self.path, self.protocol = line.decode("latin-1").split()
        if self.protocol not in {"HTTP/1.0", "HTTP/1.1"}:
            raise ValueError(self.protocol)
        self.headers = {}
        while line := self._input.readline(LONGEST_LINE).rstrip(b"\r\n"):
            key, colon, value = line.decode("latin-1").partition(":")
            if not colon or key != key.strip():
                raise ValueError(key)
            self.headers[key] = value.strip()
        options = self.header("Connection").lower()
        self.kept = "keep-alive" in options if self.protocol == "HTTP/1.0" else "close" not in options

    def header(self, name: str) -> str:
        """Return a header's value; empty without it."""
        return next((value for key, value in self.headers.items() if key.lower() == name.lower()), "")

    def _answer(self) -> None:
        if self.header("Expect").lower() == "100-continue":
            self._client.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = self._read_body()
        if self.command not in {"GET", "HEAD", "POST", "PUT"}:
            self._send(501)
        elif time.monotonic() < STARTED + BOOT + WARM:
            self._send(503)
        elif self.command in {"POST", "PUT"}:
            self._send_json({**self._request_seen(), "length": length})
        else:
            self._answer_get()

    def _answer_get(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/":
            self._send_json(self._request_seen())
        elif path == "/healthz":
            self._send_json({"ok": True})
        elif path == "/slow":
            seconds = [value for key, _, value in (one.partition("=") for one in query.split("&")) if key == "seconds"]
            time.sleep(float(seconds[0]) if seconds else 1)
            self._send_json(self._request_seen())
        elif path == "/ws":
            self._websocket()
        else:
            # An app that forces https everywhere would break the ACME challenge if the proxy
            # forwarded it: this redirect on the challenge path shows that it did.
            self._send(302, f"Location: https://{self.header('Host') or NAME}{self.path}")

    def _read_body(self) -> int:
        """Read the whole request body, with a Content-Length or chunked; return its length."""
        length = 0
        if self.header("Transfer-Encoding").lower() == "chunked":
            while size := int(self._input.readline(LONGEST_LINE).split(b";")[0], 16):
                length += self._discard(size)
                self._input.readline(LONGEST_LINE)
            while self._input.readline(LONGEST_LINE).strip():
                pass  # trailers
            return length
        return self._discard(int(self.header("Content-Length") or 0))

    def _discard(self, size: int) -> int:
        left = size
        while left > 0 and (part := self._input.read(min(left, 1 << 20))):
            left -= len(part)
        return size - left

    def _request_seen(self) -> dict[str, object]:
        return {
            "app": NAME,
            "method": self.command,
            "path": self.path,
            "host": self.header("Host") or None,
            "protocol": self.protocol,
            "headers": self.headers,
        }

    def _send_json(self, value: object) -> None:
        self._send(200, "Content-Type: application/json", body=json.dumps(value).encode() + b"\n")

    def _send(self, status: int, *headers: str, body: bytes | None = b"") -> None:
        lines = [f"HTTP/1.1 {status} {REASONS[status]}", "Server: lab-app", *headers]
        if body is not None:
            lines.append(f"Content-Length: {len(body)}")
        if not self.kept:
            lines.append("Connection: close")
        head = "\r\n".join((*lines, "\r\n")).encode("latin-1")
        self._client.sendall(head if self.command == "HEAD" else head + (body or b""))

    def _websocket(self) -> None:
        import base64  # noqa: PLC0415  (most apps never see a WebSocket, and this takes as long as all else)
        import hashlib  # noqa: PLC0415

        key = self.header("Sec-WebSocket-Key").encode()
        if self.header("Upgrade").lower() != "websocket" or not key:
            self._send(426, "Upgrade: websocket")
            return
        accept = base64.b64encode(hashlib.sha1(key + WEBSOCKET_GUID).digest()).decode()
        self._send(101, "Upgrade: websocket", "Connection: Upgrade", f"Sec-WebSocket-Accept: {accept}", body=None)
        self.kept = False
        while frame := self._read_frame():
            opcode, payload = frame
            if opcode == CLOSE:
                self._client.sendall(make_frame(CLOSE, payload[:2]))
                return
            if opcode == PING:
                self._client.sendall(make_frame(PONG, payload))
            elif opcode == TEXT:
                self._client.sendall(make_frame(TEXT, payload))

    def _read_frame(self) -> tuple[int, bytes] | None:
        """Read one unfragmented frame (RFC 6455, 5.2); None at the end of the stream."""
        head = self._input.read(2)
        if len(head) < 2:
            return None
        length = head[1] & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", self._input.read(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", self._input.read(8))
        mask = self._input.read(4) if head[1] & 0x80 else bytes(4)
        payload = self._input.read(length)
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


def main() -> None:
    # For process 1 of a container the default action of a signal does not apply, and a graceful
    # shutdown would wait for /slow: exit at once.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN if IGNORES_SIGTERM else lambda *_: os._exit(0))
    time.sleep(BOOT)
    with socket.create_server(("", PORT), backlog=1024) as server:
        while True:
            client, _ = server.accept()
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=Connection(client).serve, daemon=True).start()


if __name__ == "__main__":
    main()
