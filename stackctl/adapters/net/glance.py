"""Which certificate a server offers, without the rest of the handshake.

Under TLS 1.2 a server sends its certificate in the clear, in answer to the first message (RFC 5246,
section 7.4.2). Python's own TLS writes that message; only the answer's framing is read here. What a
client pays for most, checking and agreeing on keys, is left out: so a thousand names cost a fifth.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable
from contextlib import suppress

_RECORD_HEADER, _HEADER = 5, 4
_ALERT, _HANDSHAKE = 21, 22
_CERTIFICATE = 11
_UNRECOGNIZED_NAME = 112
"""The alert of a server that has nothing for a name (RFC 6066, section 3)."""


class Unclear(Exception):
    """The answer is not one of those read here: only a whole handshake tells."""


def hello_context() -> ssl.SSLContext:
    """For :func:`offered`: a client that writes a first message of TLS 1.2."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def offered(context: ssl.SSLContext, at: tuple[str, int], name: str, timeout: float) -> bytes | None:
    """The leaf (DER) that the server at ``at`` offers for ``name``; None where it refuses the name.

    Raises:
        Unclear: it answers otherwise, as one does that speaks TLS 1.3 alone.
        OSError: nothing answers within ``timeout`` seconds.
    """
    nothing, message = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(nothing, message, server_hostname=name).do_handshake()
    with socket.create_connection(at, timeout) as connection, connection.makefile("rb") as answer:
        connection.sendall(message.read())
        return _leaf(answer.read)


def _leaf(read: Callable[[int], bytes]) -> bytes | None:
    """The first certificate in the records that ``read`` gives; it returns fewer bytes at the end only."""
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
                # A list of its own length holds the chain, the leaf first, each behind its length.
                chain = messages[_HEADER + 3 : _HEADER + size]
                return chain[3 : 3 + int.from_bytes(chain[:3])]
            messages = messages[_HEADER + size :]


def _exactly(read: Callable[[int], bytes], size: int) -> bytes:
    found = read(size)
    if len(found) < size:
        raise Unclear
    return found
