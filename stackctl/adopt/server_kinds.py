"""What kind of server a block is: one that refuses unknown names, or one that a site without TLS can replace."""

from __future__ import annotations

import re
from dataclasses import replace

from stackctl.adopt.nginx_conf import UNNAMED, ServerBlock, serves_challenges
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.proxies.nginx.directives import Directive, every, first, named


def refuses_unknown_names(server: ServerBlock) -> bool:
    """Whether it only refuses requests for unknown names, as stackctl does."""
    default = any(server.is_default(port) for port in (HTTP_PORT, HTTPS_PORT))
    if server.domains or not (default or set(server.names) <= UNNAMED) or server.unsupported_listen:
        return False
    rest = [one for one in server.body if not serves_challenges(one) and not _has_no_content(one)]
    everything = any(one.name == "return" or one.args == ("/",) for one in rest)
    return all(_refuses(one) for one in rest) and (everything or first(server.body, "root") is None)


def refusal_status(server: ServerBlock, *, tls: bool) -> str | None:
    """Return the status with which a server refuses unknown names; None if it closes the connection."""
    rejects = first(server.body, "ssl_reject_handshake")
    if tls and rejects is not None and rejects.arg == "on":
        return None
    found = next((one.arg for one in every(server.body) if one.name == "return" and len(one.args) == 1), _NOT_FOUND)
    return None if found == _CLOSED else found


_CLOSED = "444"
_NOT_FOUND = "404"
_NO_CONTENT = {"http2", "http3", "server_tokens", "access_log", "error_log", "root", "index", "include"}


def _has_no_content(one: Directive) -> bool:
    return one.name in _NO_CONTENT or one.name.startswith("ssl_")


def is_complex(server: ServerBlock) -> bool:
    """Whether it has more than one location with plain directives, so that it cannot become a site without TLS."""
    locations = [one for one in named(server.body, "location") if not serves_challenges(one)]
    return len(locations) != 1 or any(one.name in {"if", "set", "return", "rewrite"} for one in server.body)


def into_location(server: ServerBlock) -> ServerBlock:
    """Move the directives of a server into its only location, where they have the same effect."""
    [location] = [one for one in named(server.body, "location") if not serves_challenges(one)]
    there = {one.name for one in location.inner}
    moved = [one for one in server.body if one.name not in {"location", "server_tokens", *there, *_TLS}]
    stay = [one for one in server.body if one.name == "server_tokens" or one.name in _TLS]
    return replace(server, body=(*stay, location.with_block((*moved, *location.inner))))


_TLS = {"ssl_certificate", "ssl_certificate_key"}


def _refuses(one: Directive) -> bool:
    if one.name == "location":
        return all(_refuses(inner) for inner in one.inner)
    return one.name == "return" and bool(re.fullmatch(r"[45]\d\d", one.arg)) and len(one.args) == 1
