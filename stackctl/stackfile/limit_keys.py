"""The shape of the limits of ``x-stackctl``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from stackctl.model.limits import MOST_CONNECTIONS, MOST_RATES, MOST_REQUESTS


class RateLimitKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``rate-limit``: how many requests are answered; more get 429."""

    requests: Annotated[str, Meta(description="Requests in a second or a minute, such as 10/s or 60/m")]
    burst: (
        Annotated[int, Meta(ge=0, le=MOST_REQUESTS, description="How many more may come at once; default: requests")]
        | None
    ) = None
    paths: Annotated[list[str], Meta(description="Paths it is for, each with all below it; default: all")] = []
    by: Annotated[Literal["client", "all"], Meta(description="Whose requests are counted together")] = "client"


RateLimit = (
    RateLimitKeys | Annotated[list[RateLimitKeys], Meta(max_length=MOST_RATES, description="[] for none")] | None
)
Connections = (
    Annotated[int, Meta(ge=0, le=MOST_CONNECTIONS, description="Requests of one client at once; 0 is no limit")] | None
)
Compress = Annotated[bool | None, Meta(description="Compress text in answers, for clients that can read it")]
