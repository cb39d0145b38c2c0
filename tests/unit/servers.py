"""Small servers on 127.0.0.1, each in a thread, that answer like a proxy, or like a broken one."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

from stackctl.certs.dummy import make_dummy
from stackctl.model.endpoints import PortBinding

NAME = "a.example.com"


def make_pem(folder: Path, names: Sequence[str] = (NAME,)) -> Path:
    """A certificate with its key, in one file."""
    chain, key = make_dummy(names, datetime.now(UTC))
    file = folder / f"{names[0]}.pem"
    file.write_bytes(key + chain)
    return file


def tls(pem: Path, *, oldest: ssl.TLSVersion, newest: ssl.TLSVersion) -> ssl.SSLContext:
    """A server's side that refuses every name but :data:`NAME`, as a proxy does."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.minimum_version, context.maximum_version = oldest, newest
    context.sni_callback = lambda _object, name, _context: (
        None if name == NAME else ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME
    )
    return context


@dataclass
class Server:
    """What listens ``at`` a place, and the requests that came."""

    at: PortBinding
    requests: list[str] = field(default_factory=list)

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the last request."""
        lines = self.requests[-1].split("\r\n")[1:]
        return dict(line.split(": ", 1) for line in lines if line)


@contextmanager
def listening(answer: Callable[[socket.socket], None]) -> Iterator[PortBinding]:
    """Accept connections one after the other and pass each to ``answer``."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def take() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return  # it was shut down
                with connection, suppress(OSError):
                    connection.settimeout(10)
                    answer(connection)

        thread = Thread(target=take)
        thread.start()
        try:
            yield PortBinding("127.0.0.1", listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(20)
            assert not thread.is_alive()


@contextmanager
def serving(said: bytes, context: ssl.SSLContext | None = None) -> Iterator[Server]:
    """A server that answers each request with the bytes ``said`` and closes the connection."""
    requests: list[str] = []

    def answer(connection: socket.socket) -> None:
        with suppress(OSError):
            secure = connection if context is None else context.wrap_socket(connection, server_side=True)
            with secure:
                received = b""
                while b"\r\n\r\n" not in received and (more := secure.recv(4096)):
                    received += more
                if received:
                    requests.append(received.decode("ascii"))
                    secure.sendall(said)

    with listening(answer) as at:
        yield Server(at, requests)


@contextmanager
def refusing() -> Iterator[PortBinding]:
    """A port at which nothing listens; it is bound, so that no other process can listen."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield PortBinding("127.0.0.1", bound.getsockname()[1])


@contextmanager
def silent() -> Iterator[PortBinding]:
    """A port at which connections are accepted and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield PortBinding("127.0.0.1", listener.getsockname()[1])
