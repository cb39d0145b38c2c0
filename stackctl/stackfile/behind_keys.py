"""The shape of the key ``behind``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct


class BehindKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``behind``: the load balancer or CDN in front of the proxy."""

    tls: Annotated[
        Literal["terminated"] | None,
        Meta(description="TLS ends there: plain HTTP arrives, no certificate is needed"),
    ] = None
    redirect: Annotated[bool, Meta(description="Redirect visitors who use plain HTTP to HTTPS")] = False
    trusted: Annotated[
        list[str], Meta(description="Networks of the peers that are believed, or 'cloudflare' for its published list")
    ] = []
    client_ip: Annotated[
        Literal["x-forwarded-for", "cf-connecting-ip", "proxy-protocol"],
        Meta(description="Where they say whose request it is"),
    ] = "x-forwarded-for"
    health: Annotated[
        str | None, Meta(description="Path that answers 200 for any host, and 503 while the host is drained")
    ] = None


BehindBlock = Annotated[BehindKeys | None, Meta(description="The load balancer or CDN in front of the proxy")]
