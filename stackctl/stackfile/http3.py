"""Reads the key ``http3``."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.errors import StackfileError
from stackctl.model.edge import Behind
from stackctl.model.endpoints import HTTPS_PORT
from stackctl.model.http3 import Http3
from stackctl.model.project import Service
from stackctl.model.streams import Stream, Transport
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import KEY


def read_http3(doc: Document, proxy: Service, streams: Sequence[Stream], behind: Behind | None) -> Http3:
    """Return HTTP/3 at the UDP port that ``proxy`` publishes, or else at that of its HTTPS.

    Raises:
        StackfileError: a stream has the port, or what is in front of the proxy passes on no HTTP/3.
    """
    path: Path = (KEY, "http3")
    if behind is not None and (behind.terminated or behind.framed):
        raise StackfileError(
            f"HTTP/3 has no {'port: TLS ends before the proxy' if behind.terminated else 'PROXY protocol'}",
            where=doc.where_of(path),
            hint=f"see {behind.where}; remove 'http3' here, and let the load balancer speak it to clients",
        )
    published = [port for port in proxy.ports if port.target == HTTPS_PORT]
    # That of UDP first, if there is one.
    at = min(published, key=lambda port: port.is_tcp).at
    packets = [(one, one.port) for one in streams if one.port is not None and one.transport is Transport.UDP]
    taken = next((one for one, port in packets if port.at.port in {HTTPS_PORT, at.port}), None)
    if taken is not None:
        raise StackfileError(
            f"the UDP port of HTTP/3 belongs to the stream {taken.name}",
            where=doc.where_of(path),
            hint=f"see {taken.where}; choose another port there, or remove 'http3'",
        )
    return Http3(at, doc.where_of(path))
