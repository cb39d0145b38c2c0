"""The shape of the key ``health``."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

_Count = Annotated[int, Meta(ge=1, le=100)]


class HealthKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``health``: a request that a server answers while it can take others."""

    path: Annotated[str, Meta(description="Path that is requested, such as /healthz")]
    status: Annotated[int | str, Meta(description="Statuses of a healthy server, such as 200-399 or 200,401")] = (
        "200-399"
    )
    timeout: Annotated[str, Meta(description="How long one request may take, such as 3s")] = "3s"
    interval: Annotated[str | None, Meta(description="The proxy asks each server this often, such as 5s")] = None
    rise: Annotated[_Count | None, Meta(description="Good answers in a row until a server gets requests again")] = None
    fall: Annotated[_Count | None, Meta(description="Bad answers in a row until it gets none")] = None


HealthBlock = Annotated[HealthKeys | None, Meta(description="A request that a server answers while it can take others")]
