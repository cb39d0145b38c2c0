"""The shape of the settings that a block can have of its own."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from stackctl.stackfile.access_keys import AccessBlock
from stackctl.stackfile.header_keys import HeadersBlock
from stackctl.stackfile.limit_keys import Compress, Connections, RateLimit

Size = Annotated[str, Meta(description="Size with its unit, such as 64m; 0 is no limit")]
Duration = Annotated[str, Meta(description="Time with its unit, such as 60s")]


class Tunable(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """Keys that apply to all sites at the top, or to one site in its own block."""

    body_size: Size | None = None
    connect_timeout: Duration | None = None
    read_timeout: Duration | None = None
    send_timeout: Duration | None = None
    buffering: Annotated[bool, Meta(description="Store bodies while the app or the client is slower")] | None = None
    timeouts: Annotated[
        Literal["long"] | None, Meta(description="1 h between two reads or writes, and bodies of any size")
    ] = None
    rate_limit: RateLimit = None
    connections: Connections = None
    headers: HeadersBlock = None
    compress: Compress = None
    access: AccessBlock = None
