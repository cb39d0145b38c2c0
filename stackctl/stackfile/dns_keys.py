"""The shape of the keys about DNS-01: the zones, and how the names of a site are proved."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from stackctl.model.dns_zones import PATIENCE

DNS = "dns"
"""The value of ``challenge`` for DNS-01."""

Challenge = Annotated[
    Literal["http", "dns"] | None, Meta(description="How its names are proved to the CA; a wildcard needs dns")
]


class DnsKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``x-stackctl.dns.ZONE``: who writes the records by which names in the zone are proved."""

    provider: Annotated[str, Meta(description="DNS provider, such as cloudflare; multi:NAME of lego's, or hook")]
    credentials: (
        Annotated[str, Meta(description="File with the credentials, named after the zone without this key")] | None
    ) = None
    alias: Annotated[str, Meta(description="Record that _acme-challenge of the names is an alias of")] | None = None
    propagation: Annotated[str, Meta(description="How long all name servers may take, such as 5m")] = PATIENCE
    auth: Annotated[str, Meta(description="Command in the certbot container that writes a record")] | None = None
    cleanup: Annotated[str, Meta(description="Command in the certbot container that deletes it")] | None = None
