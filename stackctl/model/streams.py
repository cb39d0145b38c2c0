"""Streams: connections and packets that the proxy passes on as they are, without HTTP."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from stackctl.errors import InputError
from stackctl.model.backends import Server
from stackctl.model.endpoints import Endpoint, PortBinding, port_binding
from stackctl.model.matching import Network
from stackctl.model.values import Domain, ServiceName, domain
from stackctl.wording import listed

_LISTEN = re.compile(r"(?P<at>.*?)(?:/(?P<protocol>[A-Za-z]+))?\Z", re.DOTALL)
_SCOPE = re.compile(r"(?P<port>[0-9]{1,5})/(?P<protocol>tcp|udp)\Z")


class Transport(StrEnum):
    """What a published port speaks, as Compose names it."""

    TCP = "tcp"
    UDP = "udp"


@dataclass(frozen=True, slots=True)
class StreamPort:
    """A port of a stream: where it is published on the host; the proxy listens on the same number in its container."""

    at: PortBinding
    transport: Transport = Transport.TCP

    def __str__(self) -> str:
        return f"{self.at}{'/udp' if self.transport is Transport.UDP else ''}"

    @property
    def scope(self) -> Domain:
        """Its number and protocol, of which a stack has one stream: the name of its files and operations.

        No domain is like it.
        """
        return Domain(f"{self.at.port}/{self.transport}")

    @property
    def published(self) -> str:
        """The item of Compose's ``ports``."""
        return f"{self.at}:{self.at.port}{'/udp' if self.transport is Transport.UDP else ''}"


@dataclass(frozen=True, slots=True)
class Stream:
    """Connections to a port of its own, or TLS connections for a name on the port of the sites.

    Attributes:
        upstream: what gets them.
        listen: the port; a :class:`~stackctl.model.values.Domain` for TLS that the proxy does not terminate.
        service: the Compose service that the host of ``upstream`` is, if it is one.
        allow: the clients that are let through; empty for all.
        where: ``file:line`` of its definition.
    """

    upstream: Endpoint
    listen: StreamPort | Domain
    service: ServiceName | None = None
    allow: tuple[Network, ...] = ()
    where: str = ""

    @property
    def name(self) -> Domain:
        """What its files and operations are called: its domain, or its port with the protocol."""
        return self.listen.scope if isinstance(self.listen, StreamPort) else self.listen

    @property
    def server(self) -> Server:
        """What gets them, as the server of a site would be."""
        return Server(self.upstream, self.service)

    @property
    def port(self) -> StreamPort | None:
        """Its own port; None if it shares that of the sites."""
        return self.listen if isinstance(self.listen, StreamPort) else None

    @property
    def transport(self) -> Transport:
        """What is passed on."""
        return self.listen.transport if isinstance(self.listen, StreamPort) else Transport.TCP


def stream_port(text: str) -> StreamPort:
    """Return ``text`` as ``[ADDRESS:]PORT[/udp]``."""
    match = _LISTEN.match(text)
    assert match is not None  # the pattern matches any text
    protocol = (match["protocol"] or Transport.TCP).lower()
    if protocol not in set(Transport):
        raise InputError(f"{text!r} is neither TCP nor UDP", hint="write 5432, or 51820/udp")
    return StreamPort(port_binding(match["at"]), Transport(protocol))


def stream_named(streams: Sequence[Stream], text: str) -> tuple[Domain, Stream | None]:
    """Return the stream that ``text`` means, by its port or its domain, and the name that it has or would have.

    Raises:
        InputError: it means several, or a port at another address.
    """
    if not (text.rpartition("/")[0] or text).rpartition(":")[2].isdigit():
        name = domain(text)
        return name, next((one for one in streams if one.name == name), None)
    wanted = stream_port(text)
    same = {one.port: one for one in streams if one.port is not None and one.port.at.port == wanted.at.port}
    if wanted in same:
        return wanted.scope, same[wanted]
    found = [one for port, one in same.items() if "/" not in text or port.transport is wanted.transport]
    listens = listed([str(one.port) for one in found])
    if found and (len(found) > 1 or wanted.at.address is not None):
        what = "means several streams" if wanted.at.address is None else "is no stream"
        raise InputError(f"{text} {what}: there is {listens}", where="STREAM", hint=f"write {found[0].port}")
    return (found[0].name, found[0]) if found else (wanted.scope, None)


def is_port(scope: str) -> bool:
    """Return whether the name of a site or a stream is that of a port."""
    return _SCOPE.match(scope) is not None
