"""nginx: certificates that clients show."""

from __future__ import annotations

import hashlib

from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.proxies.nginx.layout import SNIPPETS
from stackctl.proxies.proxy import Files

_FOLDER = f"{SNIPPETS}/clients"
_VARIABLES = {
    "subject": "$ssl_client_s_dn",
    "issuer": "$ssl_client_i_dn",
    "serial": "$ssl_client_serial",
    "fingerprint": "$ssl_client_fingerprint",
    "verified": "$ssl_client_verify",
    "certificate": "$ssl_client_escaped_cert",
}
_DEPTH = 5
"""Intermediate certificates in a chain, at most."""


def _path(content: bytes) -> str:
    return f"{_FOLDER}/{hashlib.sha256(content).hexdigest()[:32]}.pem"


def client_files(stack: Stack) -> Files:
    """Return the copies of the CAs and lists by which certificates of clients are verified."""
    contents = (stack.pages.get(file.path, b"") for file in stack.client_files)
    return {_path(content): content for content in contents}


def client_lines(stack: Stack, site: Site) -> list[str]:
    """Return the lines for the servers of a site over TLS."""
    wanted = site.clients
    if wanted is None:
        return []
    lines = [f"ssl_client_certificate {_path(stack.pages.get(wanted.ca.path, b''))};"]
    if wanted.crl is not None:
        lines.append(f"ssl_crl {_path(stack.pages.get(wanted.crl.path, b''))};")
    return [*lines, f"ssl_verify_client {'on' if wanted.required else 'optional'};", f"ssl_verify_depth {_DEPTH};"]


def client_headers(site: Site) -> list[tuple[str, str]]:
    """Return the request headers about the certificate of the client, with the variables that have their values."""
    return [(name, _VARIABLES[field]) for name, field in site.clients.headers] if site.clients else []
