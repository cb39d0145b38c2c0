"""Send one request, and return the complete answer."""

from __future__ import annotations

import hashlib
import http.client
import re
import ssl

from stackctl.adapters.net.connect import secured
from stackctl.adapters.net.deadline import Deadline
from stackctl.adapters.net.exchange import exchanged, opened
from stackctl.model.endpoints import PortBinding
from stackctl.observed.reply import ClientRequest, Failure, Response
from stackctl.observed.wire import ANSWER_SECONDS

_MOST_BYTES = 2 * 1024 * 1024
_KEPT_BYTES = 256 * 1024
_AGENT = "stackctl-compare"


def answer(
    at: PortBinding, request: ClientRequest, context: ssl.SSLContext, timeout: float = ANSWER_SECONDS
) -> Response:
    """Send ``request`` to ``at``; its host is the SNI. Redirects are not followed, and a large body is cut off.

    ``timeout`` is for the whole answer, in seconds.
    """
    stream = opened(at, Deadline(timeout, most_bytes=2 * _MOST_BYTES))
    if isinstance(stream, Failure):
        return Response(failure=stream)
    if request.tls:
        try:
            stream = secured(stream, context, request.host)
        except (OSError, ValueError):
            return Response(failure=Failure.HANDSHAKE)
    found = exchanged(stream, request, {"User-Agent": _AGENT, "Accept-Encoding": "identity"}, _read)
    return Response(failure=found) if isinstance(found, Failure) else found


def _read(response: http.client.HTTPResponse) -> Response:
    body = response.read(_MOST_BYTES)
    if response.length and len(body) < _MOST_BYTES:  # what is still missing of the announced length
        return Response(failure=Failure.CLOSED)
    found = tuple((name.lower(), value) for name, value in response.getheaders())
    own = _without_version(body, response.getheader("Server", ""))
    digest = hashlib.sha256(own).hexdigest()
    return Response(response.status, found, len(body), digest, body=body[:_KEPT_BYTES])


def _without_version(body: bytes, program: str) -> bytes:
    """Remove the version of the server's program from a page of its own, such as that of an error.

    Another version, or one that is hidden, does not make it another page.
    """
    name = program.partition("/")[0]
    pattern = rb">%s/[\w.]+( \([^<>()]*\))?<" % re.escape(name.encode("latin-1", "replace"))
    return re.sub(pattern, f">{name}<".encode("latin-1", "replace"), body) if name else body
