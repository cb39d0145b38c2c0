"""nginx: the directives for an app that speaks HTTPS."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from stackctl.model.backends import Server
from stackctl.model.layout import site_file
from stackctl.model.routing import Site
from stackctl.proxies.custom import cas_in, cas_of
from stackctl.proxies.nginx.layout import CUSTOM, SITES

SYSTEM_CA = "/etc/ssl/certs/ca-certificates.crt"
"""Root certificates of the image: Debian's, Alpine's and the official one have this file."""

_COPY = "# A copy of "
_DEPTH = 5
"""Intermediate certificates in a chain, at most; nginx's own limit of 1 is less than public CAs use."""


def tls_lines(site: Site, server: Server, module: str = "proxy") -> Iterator[str]:
    """Yield the directives by which the certificate of ``server`` is verified; none for one without TLS.

    ``module`` begins their names: ``proxy`` or ``grpc``.
    """
    tls = server.tls
    if tls is None:
        return
    yield "# The older protocols are nginx's default before 1.23.4."
    yield f"{module}_ssl_protocols TLSv1.2 TLSv1.3;"
    yield f"{module}_ssl_server_name on;"
    yield f"{module}_ssl_name {tls.name or server.endpoint.host};"
    if tls.verify:
        yield f"{module}_ssl_verify on;"
        yield f"{module}_ssl_verify_depth {_DEPTH};"
        if tls.ca:
            yield f"{_COPY}{(CUSTOM / tls.ca).path}:"
        yield f"{module}_ssl_trusted_certificate {ca_path(site, tls.ca) if tls.ca else SYSTEM_CA};"


def original_ca(conf: bytes, path: str) -> str | None:
    """Return the user's file of root certificates that ``path`` is a copy of; ``conf`` is its site's file."""
    names = rf"{_COPY}(\S+):\s+(?:proxy|grpc)_ssl_trusted_certificate {re.escape(path)};"
    found = re.search(names, conf.decode("utf-8", "replace"))
    return found[1] if found else None


def ca_path(site: Site, ca: str) -> str:
    """Return the copy of a user's file of root certificates: ``sites/DOMAIN.ca``, the second one ``.ca2``."""
    number = cas_of(site).index(ca) + 1
    return f"{SITES}/{site_file(site.name)}.ca{number if number > 1 else ''}"


def ca_files(site: Site, custom: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the copies of the user's files of root certificates that the servers of a site need.

    Raises:
        InputError: a file does not exist.
    """
    return {ca_path(site, name): content for name, content in cas_in(custom, site, CUSTOM).items()}
