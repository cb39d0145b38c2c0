"""nginx: the directives for an app that speaks HTTPS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from stackctl.errors import InputError
from stackctl.model.routing import Server, Site
from stackctl.model.values import Domain
from stackctl.proxies.nginx.layout import CUSTOM

SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
"""Root certificates of the image: Debian's, Alpine's and the official one have this file."""

_COPY = "# A copy of "
_DEPTH = 5
"""Intermediate certificates in a chain, at most; nginx's own limit of 1 is less than public CAs use."""


def tls_lines(site: Domain, server: Server) -> Iterator[str]:
    """Yield the directives by which the certificate of ``server`` is verified; none if it speaks plain HTTP."""
    tls = server.tls
    if tls is None:
        return
    yield "# The older protocols are nginx's default before 1.23.4."
    yield "proxy_ssl_protocols TLSv1.2 TLSv1.3;"
    yield "proxy_ssl_server_name on;"
    yield f"proxy_ssl_name {tls.name or server.endpoint.host};"
    if tls.verify:
        yield "proxy_ssl_verify on;"
        yield f"proxy_ssl_verify_depth {_DEPTH};"
        if tls.ca:
            yield f"{_COPY}{(CUSTOM / tls.ca).path}:"
        yield f"proxy_ssl_trusted_certificate {f'sites/{site}.ca' if tls.ca else SYSTEM_CA};"


def original_ca(conf: bytes) -> str | None:
    """Return the user's file of root certificates that a site's file names the copy of."""
    found = re.search(rf"{_COPY}(\S+):$", conf.decode("utf-8", "replace"), re.MULTILINE)
    return found[1] if found else None


def ca_of(site: Site, server: Server, custom: Mapping[str, bytes]) -> bytes | None:
    """Return the content of the user's file of root certificates; None for a site without one.

    Raises:
        InputError: the file does not exist.
    """
    name = server.tls.ca if server.tls else None
    if name is None:
        return None
    content = custom.get(name)
    if content is None:
        raise InputError(
            f"{site.name}: there is no {(CUSTOM / name).path}",
            where=site.where,
            hint="put the PEM file there, or correct 'ca' in 'upstream-tls'",
        )
    return content
