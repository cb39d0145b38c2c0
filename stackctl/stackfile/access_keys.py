"""The shape of ``access`` of ``x-stackctl``."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

Networks = Annotated[list[str], Meta(max_length=1000, description="Addresses and networks of clients")]


class ForwardAuthKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``forward-auth``: a service that is asked about each request."""

    url: Annotated[str, Meta(description="Where it is asked; with preset only http://HOST:PORT")]
    preset: (
        Annotated[
            Literal["authelia", "authentik", "tinyauth", "oauth2-proxy"], Meta(description="How it is asked, by name")
        ]
        | None
    ) = None
    pass_: Annotated[list[str], Meta(max_length=20, description="Headers of its answer that the app gets")] | None = (
        msgspec.field(name="pass", default=None)
    )


class AccessKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``access``: who may make requests."""

    allow: Annotated[Networks | None, Meta(description="Clients that may; with satisfy: any without credentials")] = (
        None
    )
    deny: Annotated[Networks | None, Meta(description="Clients that never may")] = None
    users: Annotated[str | None, Meta(description="File with names and hashed passwords, as htpasswd writes it")] = None
    forward_auth: Annotated[ForwardAuthKeys | None, Meta(description="A service that is asked about each request")] = (
        None
    )
    satisfy: Annotated[
        Literal["all", "any"] | None, Meta(description="Whether one of allow, users, forward-auth is enough")
    ] = None
    skip: Annotated[list[str], Meta(max_length=50, description="Paths for everybody, with all below")] | None = None


AccessBlock = Annotated[
    AccessKeys | Literal["none"] | None, Meta(description="Who may make requests; none for everybody")
]
