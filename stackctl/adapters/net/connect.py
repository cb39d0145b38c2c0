"""Whether something listens: one TCP connection, closed at once."""

from __future__ import annotations

import socket

_TIMEOUT = 1.0


def connection_error(address: str, port: int) -> OSError | None:
    """Return what prevents a TCP connection; None where it is accepted."""
    try:
        socket.create_connection((address, port), timeout=_TIMEOUT).close()
    except OSError as error:
        return error
    return None
