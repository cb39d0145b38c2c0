"""Send one request through a published port, as a client on this host does."""

from __future__ import annotations

import http.client
import ssl
from dataclasses import replace

from cryptography import x509

from stackctl.adapters.net.connect import secured
from stackctl.adapters.net.deadline import Deadline
from stackctl.adapters.net.exchange import exchanged, opened
from stackctl.certs.lineage import Certificate, describe
from stackctl.model.endpoints import PortBinding
from stackctl.model.fields import Request
from stackctl.model.values import Domain
from stackctl.observed.reply import ClientRequest, Failure, Reply
from stackctl.observed.wire import REQUEST_HEADERS

_TIMEOUT = 15.0
"""For the whole request. Longer than the proxy's own timeout for a connection to an app."""


def ask(at: PortBinding, name: Domain, sent: Request, context: ssl.SSLContext | None) -> Reply:
    """Send a request for ``name`` to ``at``; with a ``context`` over TLS, with the name as SNI.

    Redirects are not followed, and the body is not read.
    """
    stream = opened(at, Deadline(_TIMEOUT))
    if isinstance(stream, Failure):
        return Reply(failure=stream)
    certificate: Certificate | None = None
    if context is not None:
        try:
            stream = secure = secured(stream, context, name)
            leaf = secure.getpeercert(binary_form=True)
            certificate = None if leaf is None else describe(x509.load_der_x509_certificate(leaf))
        except OSError as error:
            return Reply(failure=_handshake_failure(error))
        except ValueError:  # the certificate cannot be parsed
            stream.close()
            return Reply(failure=Failure.HANDSHAKE)
    request = ClientRequest(host=name, port=at.port, tls=context is not None, path=sent.target, method=sent.method)
    names = {key.lower(): key for key, _ in (*reversed(sent.headers), *REQUEST_HEADERS)}
    own = dict(REQUEST_HEADERS)
    headers = {key: sent.header(small) or own.get(key, "") for small, key in names.items()}
    found = exchanged(stream, request, headers, _read)
    return replace(Reply(failure=found) if isinstance(found, Failure) else found, certificate=certificate)


def _read(response: http.client.HTTPResponse) -> Reply:
    cookie = response.getheader("Set-Cookie") is not None
    return Reply(response.status, response.getheader("Location"), cookie)


def _handshake_failure(error: OSError) -> Failure:
    if isinstance(error, TimeoutError):
        return Failure.TIMEOUT
    # An alert is a response. EOF without one comes from what is in front of a proxy that is down.
    answered = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError)
    return Failure.HANDSHAKE if answered else Failure.CLOSED
