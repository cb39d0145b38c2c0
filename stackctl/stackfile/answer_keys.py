"""The shape of the keys about what the proxy answers itself: redirects, pages for errors, maintenance."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from stackctl.stackfile.dns_keys import Challenge
from stackctl.stackfile.imported_keys import CertificateKey

Errors = Annotated[
    dict[Annotated[str, Meta(extra_json_schema={"pattern": "^[45][0-9][0-9]$"})], str],
    Meta(description="Pages for errors of the proxy's own, by status; paths relative to the stack's directory"),
]
InterceptErrors = Annotated[
    bool | None, Meta(description="These pages replace what the app answers with such a status, too")
]
Canonical = Annotated[str | None, Meta(description="The name to which the other names of the site are redirected")]


class AnswerKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``answer``: a fixed response."""

    status: Annotated[int, Meta(ge=200, le=599, description="Status of the response")] = 200
    text: Annotated[str, Meta(description="Its body")] = ""
    content_type: Annotated[str, Meta(description="Media type of the body")] = "text/plain; charset=utf-8"


class MaintenanceKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``maintenance``: every request of a site is answered with 503."""

    message: Annotated[str, Meta(description="A sentence for visitors")] | None = None
    page: Annotated[str, Meta(description="File to show instead, relative to the stack's directory")] | None = None
    until: Annotated[str, Meta(description="When it ends by itself, such as 2026-11-27T18:00:00Z")] | None = None
    allow: Annotated[list[str], Meta(description="Addresses and networks of clients that see the app")] = []


MaintenanceBlock = Annotated[
    MaintenanceKeys | None, Meta(description="Answer every request with 503, except those of some clients")
]


class RedirectKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``x-stackctl.redirects[]``: names that are only redirected."""

    from_: Annotated[list[str] | str, Meta(description="Name or names that are redirected")] = msgspec.field(
        name="from"
    )
    to: Annotated[str, Meta(description="URL to redirect to")]
    keep_path: Annotated[bool, Meta(description="Path and query of the request follow the URL")] = True
    code: Annotated[Literal[301, 302, 303, 307, 308], Meta(description="Status of the redirect")] = 308
    certificate: CertificateKey = None
    challenge: Challenge = None


class UnknownKeys(Struct, rename="kebab", forbid_unknown_fields=True, kw_only=True):
    """``default``: what is answered on port 80 for names that no site has; one of the keys."""

    redirect: Annotated[str, Meta(description="URL to redirect to")] | None = None
    page: Annotated[str, Meta(description="File to show, relative to the stack's directory")] | None = None
    app: Annotated[str, Meta(description="Name of the site that answers")] | None = None
