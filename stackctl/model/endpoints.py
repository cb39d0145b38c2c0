"""Hosts with ports: where something listens, and where a port is published on this host."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field, replace
from enum import StrEnum

from stackctl.errors import InputError
from stackctl.model.own_names import is_name_of_host, is_own_container
from stackctl.model.values import is_host, is_ip, port

HTTP_PORT, HTTPS_PORT = 80, 443
"""The default ports of ``http`` and ``https`` (RFC 9110, section 4.2). The proxy listens on them in its container."""

_DEFAULT_PORTS = {"http": HTTP_PORT, "https": HTTPS_PORT}
_DIGITS = re.compile(r"[0-9]{1,5}\Z")
_NUMERIC = re.compile(r"(?:\A|\.)(?:0x[0-9a-f]*|[0-9]+)\.?\Z", re.IGNORECASE)
"""A name that resolvers take for a number, such as 127.1 (inet_aton)."""

_BRIDGE = "write the host's address on Docker's bridge, such as 172.17.0.1:8080"
_BRACKETED = re.compile(r"\[([^\[\]]+)\]\Z")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A host and a TCP port.

    Attributes:
        host: a Compose service, a DNS name or an IP address; only :meth:`__str__` puts IPv6 into brackets.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_address(self) -> bool:
        """Whether the host is an IP address and not a name."""
        return is_ip(self.host)


def endpoint(text: str) -> Endpoint:
    """Return ``text`` as ``HOST:PORT``; the host is a DNS name or an address, IPv6 in brackets."""
    host, colon, number = text.rpartition(":")
    if not colon or not _DIGITS.match(number):
        raise InputError(f"{text!r} is not HOST:PORT", hint="write it as 10.0.0.5:8080 or legacy.internal:8080")
    address = _address(host)
    if is_own_container(address or host):
        raise InputError(f"{host} inside the proxy's container is the container itself, not this host", hint=_BRIDGE)
    if is_name_of_host(host):
        raise InputError(f"{host} is not known inside the proxy's container", hint=_BRIDGE)
    if address is None and (not is_host(host) or is_ip(host) or _NUMERIC.search(host)):
        raise InputError(f"{text!r} is not HOST:PORT: {host!r} is not a host name or an address")
    return Endpoint(address or host.lower(), port(int(number)))


@dataclass(frozen=True, slots=True)
class Upstream:
    """A server outside Compose, and what is spoken to it.

    Attributes:
        tls: whether that is HTTPS.
    """

    endpoint: Endpoint
    tls: bool = False

    def __str__(self) -> str:
        return f"https://{self.endpoint}" if self.tls else str(self.endpoint)


def upstream(text: str) -> Upstream:
    """Return ``text`` as ``[SCHEME://]HOST:PORT``; with a scheme, the port may be the scheme's own."""
    scheme, separator, rest = text.rpartition("://")
    if not separator:
        return Upstream(endpoint(text))
    if scheme.lower() not in _DEFAULT_PORTS:
        raise InputError(f"{text!r} has the scheme {scheme!r}", hint="write http://HOST:PORT or https://HOST:PORT")
    place, _, path = rest.partition("/")
    if path or "?" in rest or "#" in rest:
        raise InputError(
            f"{text!r} has a path, and the app gets the path of the request",
            hint="write only https://HOST:PORT; your own directives for the proxy can change paths",
        )
    if "@" in place:
        raise InputError("an upstream cannot have a user name or a password", hint="write only https://HOST:PORT")
    tls = scheme.lower() == "https"
    has_port = _DIGITS.match(place.rpartition(":")[2]) and (not place.startswith("[") or "]:" in place)
    return Upstream(endpoint(place if has_port else f"{place}:{_DEFAULT_PORTS[scheme.lower()]}"), tls)


@dataclass(frozen=True, slots=True)
class PortBinding:
    """Where a container's port is published on the host: Compose's ``[ADDRESS:]PORT``.

    Attributes:
        address: an IP address, without brackets; None for all of the host's.
        framed: whether each connection begins with the PROXY protocol.
    """

    address: str | None
    port: int
    framed: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return str(Endpoint(self.address, self.port)) if self.address else str(self.port)

    def meets(self, other: PortBinding) -> bool:
        """Return whether both cannot be published at once: the same port, and an address in common."""
        addresses = {self.address, other.address}
        if self.port != other.port:
            return False
        if None in addresses or len(addresses) == 1:
            return True
        family = {":" in str(address) for address in addresses}
        return len(family) == 1 and bool(addresses & {"0.0.0.0", "::"})  # noqa: S104  (compared, not bound)

    @property
    def probe(self) -> tuple[str, int]:
        """The address and port at which this host itself reaches the published port."""
        if self.address in {None, "0.0.0.0"}:  # noqa: S104  (compared, not bound)
            return "127.0.0.1", self.port
        return "::1" if self.address == "::" else str(self.address), self.port


class Scheme(StrEnum):
    """What a listener speaks, as the scheme of its URLs."""

    HTTP = "http"
    HTTPS = "https"


@dataclass(frozen=True, slots=True)
class Listener:
    """A port on which the proxy listens.

    Attributes:
        port: in the proxy's container.
        at: where it is published on the host.
    """

    scheme: Scheme
    port: int
    at: PortBinding

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return self.scheme is Scheme.HTTPS


def web_listeners(http: PortBinding, https: PortBinding | None, *, framed: bool = False) -> tuple[Listener, ...]:
    """Return the listeners of a proxy for web sites, published at ``http`` and ``https``; ``framed`` is for both."""
    found = [Listener(Scheme.HTTP, HTTP_PORT, replace(http, framed=framed))]
    if https is not None:
        found.append(Listener(Scheme.HTTPS, HTTPS_PORT, replace(https, framed=framed)))
    return tuple(found)


def port_binding(text: str) -> PortBinding:
    """Return ``text`` as ``PORT`` or ``ADDRESS:PORT``, an IPv6 address in brackets."""
    host, colon, number = text.rpartition(":")
    address = _address(host) or _address(f"[{host}]")
    if not _DIGITS.match(number) or (colon and address is None):
        raise InputError(f"{text!r} is not PORT or ADDRESS:PORT", hint="write 443, 127.0.0.1:443 or [::1]:443")
    return PortBinding(address, port(int(number)))


def _address(text: str) -> str | None:
    """Return an IPv4 address, or an IPv6 one in brackets, canonical and without them; None for anything else."""
    bracketed = _BRACKETED.match(text)
    try:
        address = ipaddress.ip_address(bracketed[1] if bracketed else text)
    except ValueError:
        return None
    if bool(bracketed) != (address.version == 6) or "%" in text:
        return None
    return str(address)
