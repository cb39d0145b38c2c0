"""Probe a TCP port with one connection, closed immediately."""

from __future__ import annotations

import socket

_TIMEOUT = 1.0


def connection_error(address: str, port: int) -> OSError | None:
    """Return the error of a TCP connection, or None if it is accepted."""
    try:
        socket.create_connection((address, port), timeout=_TIMEOUT).close()
    except OSError as error:
        return error
    return None
