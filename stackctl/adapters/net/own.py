"""The names and addresses of this host."""

from __future__ import annotations

import socket
from ipaddress import ip_address


def own_addresses() -> frozenset[str]:
    """Return the addresses of this host's interfaces."""
    import psutil  # noqa: PLC0415  (only when addresses are compared)

    found = (at.address for interface in psutil.net_if_addrs().values() for at in interface)
    return frozenset(address.partition("%")[0] for address in found)


def is_this_host(host: str) -> bool:
    """Return whether ``host`` is this host's name, a loopback address or an address of its interfaces."""
    if host in {"localhost", socket.gethostname().lower()}:
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or str(address) in own_addresses()
