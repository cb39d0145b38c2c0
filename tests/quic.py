"""A client of HTTP/3 that accepts any certificate."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aioquic.asyncio.client import connect
from aioquic.asyncio.protocol import QuicConnectionProtocol
from aioquic.h3.connection import H3_ALPN, H3Connection
from aioquic.h3.events import DataReceived, H3Event, HeadersReceived
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.events import ConnectionTerminated, QuicEvent

SECONDS = 5.0
"""How long a client waits for a connection, and for an answer."""


@dataclass
class Reply:
    """A response, as far as it has arrived."""

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def status(self) -> int:
        return int(self.headers[":status"])


class Client(QuicConnectionProtocol):
    """One connection."""

    def __init__(self, *args: object, **keys: object) -> None:
        super().__init__(*args, **keys)  # type: ignore[arg-type]
        self._http = H3Connection(self._quic)
        self._replies: dict[int, Reply] = {}
        self._waiting: dict[int, asyncio.Future[Reply]] = {}

    async def ask(self, host: str, target: str) -> Reply:
        """Send a request, and return its response."""
        stream = self._quic.get_next_available_stream_id()
        pairs = {":method": "GET", ":scheme": "https", ":authority": host, ":path": target}
        fields = [(name.encode(), value.encode()) for name, value in pairs.items()]
        self._waiting[stream] = asyncio.get_running_loop().create_future()
        self._replies[stream] = Reply()
        self._http.send_headers(stream, fields, end_stream=True)
        self.transmit()
        return await asyncio.wait_for(self._waiting[stream], SECONDS)

    def quic_event_received(self, event: QuicEvent) -> None:
        """Take up what the server sends."""
        if isinstance(event, ConnectionTerminated):
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(ConnectionError(event.reason_phrase or str(event.error_code)))
            return
        for one in self._http.handle_event(event):
            self._received(one)

    def _received(self, event: H3Event) -> None:
        if not isinstance(event, (HeadersReceived, DataReceived)):
            return
        reply = self._replies[event.stream_id]
        if isinstance(event, HeadersReceived):
            reply.headers |= {name.decode(): value.decode() for name, value in event.headers}
        else:
            reply.body += event.data
        if event.stream_ended and not self._waiting[event.stream_id].done():
            self._waiting[event.stream_id].set_result(reply)


@asynccontextmanager
async def connected(port: int, name: str, address: str = "127.0.0.1") -> AsyncIterator[Client]:
    """A connection to the site ``name``, whose socket is closed also where a time limit ends it: aioquic leaves it."""
    made: list[Client] = []

    def client(*args: object, **keys: object) -> Client:
        made.append(Client(*args, **keys))
        return made[-1]

    try:
        async with connect(address, port, configuration=settings(name), create_protocol=client):
            yield made[0]
    finally:
        for one in made:
            if one._transport is not None:
                one._transport.close()
        await asyncio.sleep(0)  # the loop closes sockets in its next turn


def settings(name: str) -> QuicConfiguration:
    """Return the settings of a client that asks for ``name`` in its handshake."""
    return QuicConfiguration(
        is_client=True, alpn_protocols=H3_ALPN, server_name=name, verify_mode=ssl.CERT_NONE, idle_timeout=SECONDS
    )


def ask_all(port: int, name: str, requests: Iterable[tuple[str, str]], address: str = "127.0.0.1") -> list[Reply]:
    """Return the responses to requests for hosts and targets, all on one connection to the site ``name``."""

    async def session() -> list[Reply]:
        async with asyncio.timeout(SECONDS), connected(port, name, address) as client:
            left = deque(requests)
            return [await client.ask(*left.popleft()) for _ in range(len(left))]

    return asyncio.run(session())
