"""Connect to a published port, send one request there, and read its response."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable
from typing import TypeVar

from stackctl.adapters.net.connect import Stream, reached
from stackctl.adapters.net.deadline import Deadline
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, PortBinding
from stackctl.observed.reply import ClientRequest, Failure

T = TypeVar("T")


def opened(at: PortBinding, deadline: Deadline) -> Stream | Failure:
    """Return a connection to ``at``, or why there is none."""
    try:
        return reached(at, deadline)
    except ConnectionResetError:  # something accepted it, and ended it before connect() returned
        return Failure.CLOSED
    except OSError:
        return Failure.CONNECT


def exchanged(
    stream: socket.socket,
    request: ClientRequest,
    headers: dict[str, str],
    read: Callable[[http.client.HTTPResponse], T],
) -> T | Failure:
    """Send ``request``, and return what ``read`` makes of the response, or why there is none; closes the stream."""
    default = HTTPS_PORT if request.tls else HTTP_PORT
    host = request.host if request.port == default else f"{request.host}:{request.port}"
    client = http.client.HTTPConnection(request.host)
    client.sock = stream
    given = {name.lower() for name in headers}
    own = {"Host": host, "Accept": "*/*", "Connection": "close"}
    kept = {name: value for name, value in own.items() if name.lower() not in given}
    encoded = {name: value.encode() for name, value in {**kept, **headers}.items()}
    try:
        client.request(request.method, request.path, headers=encoded)
        return read(client.getresponse())
    except TimeoutError:
        return Failure.TIMEOUT
    except (OSError, http.client.HTTPException):
        return Failure.CLOSED
    finally:
        client.close()
