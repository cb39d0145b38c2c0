"""Recognise content delivery networks by the headers they add, and Cloudflare by its addresses too.

Cloudflare's ranges are those of https://www.cloudflare.com/ips/, as of 2026-09-29. A proxy of another
network, or of a newer range, is still recognised by its headers. A CDN that neither shows counts as an
ordinary server.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping

_CLOUDFLARE = tuple(
    ipaddress.ip_network(text)
    for text in (
        *("173.245.48.0/20", "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22", "141.101.64.0/18"),
        *("108.162.192.0/18", "190.93.240.0/20", "188.114.96.0/20", "197.234.240.0/22", "198.41.128.0/17"),
        *("162.158.0.0/15", "104.16.0.0/13", "104.24.0.0/14", "172.64.0.0/13", "131.0.72.0/22"),
        *("2400:cb00::/32", "2606:4700::/32", "2803:f800::/32", "2405:b500::/32", "2405:8100::/32"),
        *("2a06:98c0::/29", "2c0f:f248::/32"),
    )
)

_HEADERS = (
    ("cf-ray", "", "Cloudflare"),
    ("server", "cloudflare", "Cloudflare"),
    ("x-amz-cf-id", "", "Amazon CloudFront"),
    ("x-fastly-request-id", "", "Fastly"),
    ("x-served-by", "cache-", "Fastly"),
    ("server", "akamai", "Akamai"),
    ("x-azure-ref", "", "Azure Front Door"),
    ("x-sucuri-id", "", "Sucuri"),
    ("server", "bunnycdn", "bunny.net"),
)
"""Header, prefix of its value, CDN that adds it."""


def cdn_of(address: str, headers: Mapping[str, str]) -> str | None:
    """Return the CDN that serves ``address`` with ``headers`` (names in lower case), or None."""
    ip = ipaddress.ip_address(address)
    if any(ip in network for network in _CLOUDFLARE if network.version == ip.version):
        return "Cloudflare"
    for name, prefix, cdn in _HEADERS:
        if name in headers and headers[name].lower().startswith(prefix):
            return cdn
    return None
