"""Send one request through a published port, as a client on this host does."""

from __future__ import annotations

import http.client
import socket
import ssl

from cryptography import x509

from stackctl.adapters.net.connect import connected, secured
from stackctl.adapters.net.deadline import Deadline
from stackctl.certs.lineage import Certificate, describe
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, PortBinding
from stackctl.model.values import Domain
from stackctl.observed.reply import Failure, Reply

_TIMEOUT = 15.0
"""For the whole request. Longer than the proxy's own timeout for a connection to an app."""

_AGENT = "stackctl-explain"


def ask(at: PortBinding, name: Domain, path: str, context: ssl.SSLContext | None) -> Reply:
    """Send GET ``path`` for ``name`` to ``at``; with a ``context`` over TLS, with the name as SNI.

    Redirects are not followed, and the body is not read.
    """
    connection: socket.socket
    try:
        plain = connection = connected(*at.probe, Deadline(_TIMEOUT))
    except ConnectionResetError:  # something accepted it, and ended it before connect() returned
        return Reply(failure=Failure.CLOSED)
    except OSError:
        return Reply(failure=Failure.CONNECT)
    certificate: Certificate | None = None
    try:
        if context is not None:
            connection = secure = secured(plain, context, name)
            leaf = secure.getpeercert(binary_form=True)
            certificate = None if leaf is None else describe(x509.load_der_x509_certificate(leaf))
    except OSError as error:
        return Reply(failure=_handshake_failure(error))
    except ValueError:  # the certificate cannot be parsed
        connection.close()
        return Reply(failure=Failure.HANDSHAKE)
    return _get(connection, at, name, path, certificate)


def _handshake_failure(error: OSError) -> Failure:
    if isinstance(error, TimeoutError):
        return Failure.TIMEOUT
    # An alert is a response. EOF without one comes from what is in front of a proxy that is down.
    answered = isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError)
    return Failure.HANDSHAKE if answered else Failure.CLOSED


def _get(connection: socket.socket, at: PortBinding, name: Domain, path: str, certificate: Certificate | None) -> Reply:
    default = HTTP_PORT if certificate is None else HTTPS_PORT
    client = http.client.HTTPConnection(name)
    client.sock = connection
    headers = {
        "Host": name if at.port == default else f"{name}:{at.port}",
        "User-Agent": _AGENT,
        "Accept": "*/*",
        "Connection": "close",
    }
    try:
        client.request("GET", path, headers=headers)
        response = client.getresponse()
        cookie = response.getheader("Set-Cookie") is not None
        return Reply(response.status, response.getheader("Location"), cookie, certificate)
    except TimeoutError:
        return Reply(certificate=certificate, failure=Failure.TIMEOUT)
    except (OSError, http.client.HTTPException):
        return Reply(certificate=certificate, failure=Failure.CLOSED)
    finally:
        client.close()
