"""The shape of ``headers``."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Set = Annotated[
    dict[str, str], Meta(max_length=50, description="Headers and their values; each replaces what is there")
]
Remove = Annotated[list[str], Meta(max_length=50, description="Headers to leave out")]


class HstsKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``hsts``: browsers use HTTPS alone from the first answer on."""

    max_age: Annotated[str, Meta(description="For how long, such as 1y")]
    subdomains: Annotated[bool, Meta(description="For all names below too")] = False
    preload: Annotated[bool, Meta(description="May be in the list that browsers ship with")] = False


class RequestHeadersKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``request``: headers of what the app gets."""

    set: Set = {}
    remove: Remove = []


class HeadersKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``headers``: what is set and removed in responses, and in requests."""

    preset: Annotated[
        Literal["basic", "strict"] | None, Meta(description="Security headers, each where the app sends none")
    ] = None
    hsts: Annotated[
        str | HstsKeys | None, Meta(description="Strict-Transport-Security over HTTPS: 1y, or 0 to withdraw it")
    ] = None
    set: Set = {}
    remove: Remove = []
    request: Annotated[RequestHeadersKeys | None, Meta(description="Headers of what the app gets")] = None


HeadersBlock = Annotated[HeadersKeys | None, Meta(description="Headers that the proxy sets or removes")]
