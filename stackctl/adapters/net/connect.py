"""Connect to a server, in the clear or over TLS, with one deadline for everything that follows."""

from __future__ import annotations

import socket
import ssl
from threading import Thread
from typing import TYPE_CHECKING, Any

from stackctl.adapters.net.deadline import Deadline
from stackctl.model.endpoints import PortBinding

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer, WriteableBuffer

_TIMEOUT = 1.0

_NO_CLIENT = b"PROXY UNKNOWN\r\n"
"""The PROXY protocol of a connection of one's own (version 1, section 2.1)."""


class Stream(socket.socket):
    """A TCP connection on which every call shares one deadline."""

    deadline: Deadline

    def recv_into(self, buffer: WriteableBuffer, nbytes: int | None = None, flags: int = 0) -> int:
        """See :meth:`socket.socket.recv_into`."""
        self.settimeout(self.deadline.left())
        count = super().recv_into(buffer, nbytes or memoryview(buffer).nbytes, flags)
        self.deadline.received(count)
        return count

    def sendall(self, data: ReadableBuffer, flags: int = 0) -> None:
        """See :meth:`socket.socket.sendall`."""
        self.settimeout(self.deadline.left())
        super().sendall(data, flags)


class SecureStream(Stream, ssl.SSLSocket):
    """A TLS connection on which every call shares one deadline."""


def connected(host: str, port: int, deadline: Deadline) -> Stream:
    """Return a connection to the first address of ``host`` that accepts one; each gets its share of the time.

    Raises:
        OSError: none does, the name has no address, or the deadline has passed.
    """
    found = _addresses(host, port, deadline)
    problem: OSError | None = None
    for tried, (family, kind, protocol, _, address) in enumerate(found):
        stream = Stream(family, kind, protocol)
        stream.deadline = deadline
        try:
            stream.settimeout(deadline.left() / (len(found) - tried))
            stream.connect(address)
        except OSError as error:
            stream.close()
            problem = error
        else:
            return stream
    raise problem or OSError(f"{host} has no address")


def reached(at: PortBinding, deadline: Deadline) -> Stream:
    """Return a connection to a published port, as a peer without a client of its own opens it.

    Raises:
        OSError: as for :func:`connected`.
    """
    stream = connected(*at.probe, deadline)
    if at.framed:
        try:
            stream.sendall(_NO_CLIENT)
        except OSError:
            stream.close()
            raise
    return stream


def secured(stream: Stream, context: ssl.SSLContext, name: str) -> SecureStream:
    """Return ``stream`` after a TLS handshake with ``name``; the stream is closed if the handshake fails.

    Raises:
        OSError: the handshake fails, or does not end before the deadline.
        ValueError: ``name`` cannot be the name of a server.
    """
    context.sslsocket_class = SecureStream
    try:
        stream.settimeout(stream.deadline.left())  # the handshake has one timeout for all of its messages
        secure = context.wrap_socket(stream, server_hostname=name)
    except (OSError, ValueError):
        stream.close()
        raise
    assert isinstance(secure, SecureStream)
    secure.deadline = stream.deadline
    return secure


def connection_error(address: str, port: int) -> OSError | None:
    """Return the error of a TCP connection, closed immediately, or None if it is accepted."""
    try:
        connected(address, port, Deadline(_TIMEOUT)).close()
    except OSError as error:
        return error
    return None


def _addresses(host: str, port: int, deadline: Deadline) -> list[Any]:
    """Return the results of getaddrinfo, which has no timeout of its own: it runs in a thread that may be left."""
    result: list[Any] = []
    problem: list[OSError] = []

    def resolve() -> None:
        try:
            result.extend(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except OSError as error:
            problem.append(error)
        except ValueError:  # of the codec for names
            problem.append(OSError(f"{host} is not the name of a host"))

    if _is_address(host):
        resolve()
    else:
        thread = Thread(target=resolve, daemon=True)
        thread.start()
        thread.join(deadline.left())
        if thread.is_alive():
            raise TimeoutError("timed out")
    if problem:
        raise problem[0]
    return result


def _is_address(host: str) -> bool:
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host.partition("%")[0])
        except (OSError, ValueError):
            continue
        return True
    return False
