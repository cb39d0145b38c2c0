"""Address lists that operators of networks publish, as they were on a date; nothing fetches them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from ipaddress import ip_address, ip_network

from stackctl.model.matching import Network


@dataclass(frozen=True, slots=True)
class PublishedList:
    """The addresses from which a network sends requests to the servers behind it.

    Attributes:
        operator: its name, as users know it.
        urls: where the operator publishes the list, a network on each line.
        dated: the day of this copy.
    """

    operator: str
    urls: tuple[str, ...]
    dated: date
    networks: tuple[Network, ...]

    def has(self, address: str) -> bool:
        """Return whether an address belongs to the network."""
        found = ip_address(address)
        return any(found in network for network in self.networks if network.version == found.version)


LISTS: Mapping[str, PublishedList] = {
    "cloudflare": PublishedList(
        "Cloudflare",
        ("https://www.cloudflare.com/ips-v4", "https://www.cloudflare.com/ips-v6"),
        date(2026, 10, 5),
        tuple(
            ip_network(text)
            for text in (
                *("173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "141.101.64.0/18"),
                *("108.162.192.0/18", "190.93.240.0/20", "188.114.96.0/20", "197.234.240.0/22", "198.41.128.0/17"),
                *("162.158.0.0/15", "104.16.0.0/13", "104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22"),
                *("2400:cb00::/32", "2606:4700::/32", "2803:f800::/32", "2405:b500::/32", "2405:8100::/32"),
                *("2a06:98c0::/29", "2c0f:f248::/32"),
            )
        ),
    ),
}
"""By the word that names them in the Compose file."""
