"""Recognise content delivery networks by the headers they add, and those with a published list by its addresses too.

A proxy of another network, or of a newer range, is still recognised by its headers. A CDN that neither shows counts as
an ordinary server.
"""

from __future__ import annotations

from collections.abc import Mapping

from stackctl.model.published import LISTS

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
    for one in LISTS.values():
        if one.has(address):
            return one.operator
    for name, prefix, cdn in _HEADERS:
        if name in headers and headers[name].lower().startswith(prefix):
            return cdn
    return None
