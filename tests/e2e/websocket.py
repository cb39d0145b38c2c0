"""A WebSocket to the lab's app through the proxy, by the bytes of RFC 6455."""

from __future__ import annotations

import base64
import os
import socket
import ssl
import struct
from types import TracebackType
from typing import Self


class WebSocket:
    """An open WebSocket; :meth:`echo` shows that it works."""

    def __init__(self, address: str, name: str, context: ssl.SSLContext) -> None:
        plain = socket.create_connection((address, 443), 10)
        self._secure = context.wrap_socket(plain, server_hostname=name)
        self._stream = self._secure.makefile("rb")
        key = base64.b64encode(os.urandom(16)).decode()
        self._secure.sendall(
            f"GET /ws HTTP/1.1\r\nHost: {name}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        assert self._stream.readline().split()[1] == b"101"
        while self._stream.readline().strip():
            pass

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()
        self._secure.close()

    def echo(self, text: bytes) -> bytes:
        """Send a short message, and return what comes back."""
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[i % 4] for i, byte in enumerate(text))
        self._secure.sendall(struct.pack("!BB", 0x81, 0x80 | len(text)) + mask + masked)
        _, length = self._stream.read(2)
        return self._stream.read(length)
