"""The :class:`~stackctl.observed.wire.Wire` of this host: real sockets to the published ports."""

from __future__ import annotations

import errno
import http.client
import select
import socket
import ssl
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property

from cryptography import x509

from stackctl.adapters.net import glance, request
from stackctl.adapters.net.answer import answer
from stackctl.adapters.net.connect import connection_error, reached, secured
from stackctl.adapters.net.deadline import Deadline
from stackctl.adapters.net.quic import speaks_quic
from stackctl.certs.lineage import Certificate, describe
from stackctl.model.endpoints import Endpoint, PortBinding
from stackctl.model.fields import Request
from stackctl.model.layout import MARKER_HOST, MARKER_PATH
from stackctl.model.streams import Transport
from stackctl.model.values import Domain
from stackctl.model.wildcards import sample
from stackctl.observed.reply import ClientRequest, Reply, Response
from stackctl.observed.wire import ANSWER_SECONDS

_TIMEOUT = 3.0
_AT_ONCE = 16

_QUIET = 0.1
"""How long a server is watched that must not speak first."""

_SECONDS_A_NAME = 0.05
"""What a look at many names may take for each, besides the timeout of one: a handshake takes a few milliseconds."""


class HostWire:
    """Sees what a client on this host sees."""

    @cached_property
    def _context(self) -> ssl.SSLContext:
        # Only the certificate matters here; whether it is trusted is decided by the caller.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context

    @cached_property
    def _rsa(self) -> ssl.SSLContext:
        # Under TLS 1.3 the signatures are no part of the ciphers, and Python cannot choose them.
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.set_ciphers("aRSA")
        return context

    @cached_property
    def _hello(self) -> ssl.SSLContext:
        return glance.hello_context()

    def generation(self, http_at: PortBinding) -> str | None:
        """See :meth:`Wire.generation`."""
        connection = http.client.HTTPConnection(http_at.probe[0])
        try:
            connection.sock = reached(http_at, Deadline(_TIMEOUT))
            connection.request("GET", MARKER_PATH, headers={"Host": MARKER_HOST, "Connection": "close"})
            response = connection.getresponse()
            body = response.read(64)
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()
        return body.decode("ascii", "replace").strip() if response.status == http.HTTPStatus.OK else None

    def served(
        self, https: PortBinding, names: Sequence[Domain], *, rsa: bool = False
    ) -> dict[Domain, Certificate | None]:
        """See :meth:`Wire.served`."""
        context = self._rsa if rsa else self._context
        return _of_each(names, lambda name, deadline: self._handshake(https, name, deadline, context))

    def offered(self, https: PortBinding, names: Sequence[Domain]) -> dict[Domain, Certificate | None]:
        """See :meth:`Wire.offered`."""
        return _of_each(names, lambda name, deadline: self._glance(https, name, deadline))

    def _glance(self, https: PortBinding, name: Domain, deadline: Deadline) -> Certificate | None:
        try:
            leaf = glance.offered(self._hello, https, sample(name), deadline)
            return None if leaf is None else describe(x509.load_der_x509_certificate(leaf))
        except glance.Unclear:
            return self._handshake(https, name, deadline, self._context)
        except (OSError, ValueError):
            return None

    def _handshake(
        self, https: PortBinding, name: Domain, deadline: Deadline, context: ssl.SSLContext
    ) -> Certificate | None:
        try:
            with secured(reached(https, deadline), context, sample(name)) as secure:
                leaf = secure.getpeercert(binary_form=True)
            return None if leaf is None else describe(x509.load_der_x509_certificate(leaf))
        except (OSError, ValueError):
            return None

    def ask(self, at: PortBinding, name: Domain, sent: Request, *, tls: bool) -> Reply:
        """See :meth:`Wire.ask`."""
        return request.ask(at, sample(name), sent, self._context if tls else None)

    def answer(self, at: PortBinding, request: ClientRequest, timeout: float = ANSWER_SECONDS) -> Response:
        """See :meth:`Wire.answer`."""
        return answer(at, replace(request, host=sample(Domain(request.host))), self._context, timeout)

    def responds(self, http_at: PortBinding) -> bool:
        """See :meth:`Wire.responds`."""
        connection = http.client.HTTPConnection(http_at.probe[0])
        try:
            connection.sock = reached(http_at, Deadline(_TIMEOUT))
            connection.request("HEAD", MARKER_PATH, headers={"Host": MARKER_HOST, "Connection": "close"})
            connection.getresponse()
        except http.client.RemoteDisconnected:
            return _awaits_a_request(http_at)  # nginx's 444: the request was read, and intentionally not answered
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        return True

    def speaks_quic(self, at: PortBinding) -> bool:
        """See :meth:`Wire.speaks_quic`."""
        return speaks_quic(at.probe)

    def answers(self, at: Endpoint) -> bool:
        """See :meth:`Wire.answers`."""
        return connection_error(at.host, at.port) is None

    def refuses(self, at: Endpoint) -> bool:
        """See :meth:`Wire.refuses`."""
        return isinstance(connection_error(at.host, at.port), ConnectionRefusedError)

    def owner(self, at: PortBinding, transport: Transport = Transport.TCP) -> str | None:
        """See :meth:`Wire.owner`."""
        bare = at.address or "0.0.0.0"  # noqa: S104  (what Docker would bind)
        family = socket.AF_INET6 if ":" in bare else socket.AF_INET
        kind = socket.SOCK_STREAM if transport is Transport.TCP else socket.SOCK_DGRAM
        with socket.socket(family, kind) as probe:
            if transport is Transport.TCP:  # with UDP it would share the port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((bare, at.port))
            except OSError as error:
                if error.errno == errno.EADDRNOTAVAIL:
                    return "no network interface of this host (it has no such address)"
                return _listener(bare, at.port, transport) if error.errno == errno.EADDRINUSE else None
        return None


def _awaits_a_request(at: PortBinding) -> bool:
    """Return whether a connection stays open at first: the engine closes it if nothing listens in the container."""
    try:
        with reached(at, Deadline(_TIMEOUT)) as stream:
            readable, _, _ = select.select([stream], [], [], _QUIET)
    except OSError:
        return False
    return not readable  # else it is closed, or speaks first and is no web server


def _of_each(
    names: Sequence[Domain], look: Callable[[Domain, Deadline], Certificate | None]
) -> dict[Domain, Certificate | None]:
    """Return what ``look`` finds for each name; where nothing answers, not every name costs the whole timeout."""
    whole = Deadline(_TIMEOUT + _SECONDS_A_NAME * len(names))
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = pool.map(lambda name: look(name, Deadline(_TIMEOUT, within=whole)), names)
        return dict(zip(names, found, strict=True))


def _listener(host: str, port: int, transport: Transport) -> str:
    """Describe the process that listens on ``host`` and ``port``."""
    import psutil  # noqa: PLC0415  (only when a port is taken)

    try:
        for connection in psutil.net_connections(transport.value):
            taken = connection.laddr[0] if connection.laddr else ""
            clash = taken == host or {taken, host} & {"0.0.0.0", "::"}  # noqa: S104  (compared, not bound)
            listens = connection.status in {psutil.CONN_LISTEN, psutil.CONN_NONE}  # UDP has no state
            listens_at = connection.laddr[1:] if listens else ()
            if clash and port in listens_at and connection.pid:
                process = psutil.Process(connection.pid)
                return f"{process.name()} (pid {process.pid})"
    except psutil.Error:
        pass
    return "another process (run as root to see which)"
