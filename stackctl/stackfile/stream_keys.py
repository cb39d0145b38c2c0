"""The shape of the key ``streams``: what is passed on without HTTP."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct


class StreamKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``x-stackctl.streams[]``: a port that is passed on, or a name whose TLS is not terminated."""

    listen: Annotated[int | str, Meta(description="[ADDRESS:]PORT[/udp] of the host")] | None = None
    sni: Annotated[str, Meta(description="Name whose TLS connections on the sites' port are passed on as they are")] | (
        None
    ) = None
    upstream: Annotated[str, Meta(description="HOST:PORT that gets the connections: a service, or something outside")]
    allow: Annotated[
        str | list[str], Meta(description="Addresses and networks of the clients that are let through")
    ] = []
