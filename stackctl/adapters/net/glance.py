"""Read the certificate that a server offers, without the rest of the handshake.

Under TLS 1.2 a server sends its certificate in the clear, in response to the first message (RFC 5246,
section 7.4.2). Python's own TLS writes that message; only the response's framing is parsed here. The
expensive part, verification and key exchange, is left out: so a thousand names cost a fifth.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from contextlib import suppress

from stackctl.adapters.net.connect import reached
from stackctl.adapters.net.deadline import Deadline
from stackctl.model.endpoints import PortBinding

_RECORD_HEADER, _HEADER = 5, 4
_ALERT, _HANDSHAKE = 21, 22
_CERTIFICATE = 11
_UNRECOGNIZED_NAME = 112
"""The alert of a server that does not know a name (RFC 6066, section 3)."""


class Unclear(Exception):
    """The response cannot be parsed here: a whole handshake is required."""


def hello_context() -> ssl.SSLContext:
    """Return the context for :func:`offered`: a client that writes a first message of TLS 1.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def offered(context: ssl.SSLContext, at: PortBinding, name: str, deadline: Deadline) -> bytes | None:
    """Return the leaf (DER) that the server at ``at`` offers for ``name``; None if it refuses the name.

    Raises:
        Unclear: the response is another one, such as that of a server with only TLS 1.3.
        OSError: it is not complete before the deadline.
    """
    nothing, message = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(nothing, message, server_hostname=name).do_handshake()
    with reached(at, deadline) as connection, connection.makefile("rb") as answer:
        connection.sendall(message.read())
        return _leaf(answer.read)


def _leaf(read: Callable[[int], bytes]) -> bytes | None:
    """Return the first certificate in the records from ``read``, which returns fewer bytes only at the end."""
    messages = b""
    while True:
        header = _exactly(read, _RECORD_HEADER)
        body = _exactly(read, int.from_bytes(header[3:5]))
        if header[0] == _ALERT and body[1:2] == bytes([_UNRECOGNIZED_NAME]):
            return None
        if header[0] != _HANDSHAKE:
            raise Unclear
        messages += body
        while len(messages) >= _HEADER + (size := int.from_bytes(messages[1:4])):
            if messages[0] == _CERTIFICATE:
                # The chain is a list with a length prefix, the leaf first, each with its own length prefix.
                chain = messages[_HEADER + 3 : _HEADER + size]
                return chain[3 : 3 + int.from_bytes(chain[:3])]
            messages = messages[_HEADER + size :]


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    found = read(size)
    if len(found) < size:
        raise Unclear
    return found
