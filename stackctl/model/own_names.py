"""Names and addresses that mean another host inside a container than on the host."""

from __future__ import annotations

import ipaddress

_OWN_NAMES = {"localhost", "ip6-localhost", "ip6-loopback", "localhost.localdomain"}
_HOST_NAMES = {"host.docker.internal", "gateway.docker.internal", "docker.for.mac.localhost", "host-gateway"}
"""Names that Docker Desktop or ``extra_hosts`` give to the host: the proxy's resolver does not know them."""


def is_own_container(host: str) -> bool:
    """Return whether ``host``, inside a container, is the container itself (RFC 6761, RFC 1122, RFC 4291)."""
    name = host.rstrip(".").lower()
    if name in _OWN_NAMES or name.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return any(one.is_loopback or one.is_unspecified for one in (address, mapped) if one is not None)


def is_name_of_host(host: str) -> bool:
    """Return whether ``host`` is one of Docker's names for the host."""
    return host.rstrip(".").lower() in _HOST_NAMES
