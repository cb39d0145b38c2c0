"""The shape of the keys about several servers behind one route."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from stackctl.model.balancing import COOKIE, WEIGHTS, Balance

_HASH = "^(source|uri|(query|header|cookie):[A-Za-z0-9_-]+)$"


class UpstreamKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``upstreams[]``: one of several servers outside Compose."""

    address: Annotated[str, Meta(description="[https://]HOST:PORT")]
    weight: Annotated[
        int,
        Meta(
            description="Share of the requests, beside those of the others",
            extra_json_schema={"minimum": WEIGHTS[0], "maximum": WEIGHTS[-1]},
        ),
    ] = 1
    backup: Annotated[bool, Meta(description="It gets requests only while no other server does")] = False
    max_connections: (
        Annotated[
            int,
            Meta(description="Connections at once", extra_json_schema={"minimum": 1, "maximum": 65535}),
        ]
        | None
    ) = None
    drain: Annotated[bool, Meta(description="It gets no new clients")] = False


class StickyKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``sticky``: a client stays with the server that it had."""

    cookie: Annotated[str, Meta(description="Name of the cookie")] = COOKIE
    max_age: Annotated[str, Meta(description="How long the browser keeps it, such as 1h")] | None = None


class CanaryKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``canary``: a newer version that gets some of the clients."""

    service: Annotated[str, Meta(description="Compose service of the newer version")]
    port: Annotated[int, Meta(ge=1, le=65535, description="Port of that service")]
    percent: Annotated[int, Meta(description="Share of the clients", extra_json_schema={"minimum": 0, "maximum": 99})]
    cookie: Annotated[str, Meta(description="Cookie whose clients all get it, such as group=beta")] | None = None


CanaryBlock = Annotated[CanaryKeys | None, Meta(description="A newer version that gets some of the clients")]
Upstreams = Annotated[
    list[str | UpstreamKeys] | None,
    Meta(description="Several servers outside Compose, which share the requests"),
]
BalanceWord = Annotated[
    str | None,
    Meta(description="Which server gets the next request", extra_json_schema={"enum": [*Balance, None]}),
]
Hash = Annotated[
    str | None,
    Meta(
        description="What is hashed: source, uri, query:NAME, header:NAME or cookie:NAME",
        extra_json_schema={"pattern": _HASH},
    ),
]
StickyBlock = Annotated[bool | StickyKeys, Meta(description="A client stays with its server, by a cookie")]
