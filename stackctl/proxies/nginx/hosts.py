"""nginx: how a directive names a host that nginx would resolve when it starts."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from stackctl.proxies.nginx.spans import Span

HOST = r"(?P<host>[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_.])?)(?::(?P<port>\d+))?"
"""A host that is no variable, with its port if it has one."""

URL = re.compile(rf"(?P<scheme>https?)://{HOST}(?P<rest>[/?][^$]*)?\Z", re.IGNORECASE)
"""The parameter of ``proxy_pass``."""

PLACES = {
    "grpc_pass": re.compile(rf"(?:grpcs?://)?{HOST}\Z", re.IGNORECASE),
    "uwsgi_pass": re.compile(rf"(?:s?uwsgi://)?{HOST}\Z", re.IGNORECASE),
    "fastcgi_pass": re.compile(rf"{HOST}\Z"),
    "scgi_pass": re.compile(rf"(?:scgi://)?{HOST}\Z", re.IGNORECASE),
    "memcached_pass": re.compile(rf"{HOST}\Z"),
}
"""The parameters of the other directives that pass requests on."""

LOCAL = frozenset({"localhost", "localhost.localdomain", "ip6-localhost", "ip6-loopback"})
"""Names that every container knows by itself."""

_ADDRESS = re.compile(r"[\d.]+\Z")
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def is_address(host: str) -> bool:
    """Return whether a host is an address, which is not resolved."""
    return _ADDRESS.match(host) is not None


def place_of(match: re.Match[str]) -> str:
    """Return the host, with its port if it has one."""
    return match["host"] if match["port"] is None else f"{match['host']}:{match['port']}"


def server_of(match: re.Match[str]) -> str:
    """Return the host with its port, or with that of the scheme."""
    scheme = match.groupdict().get("scheme")
    return f"{match['host']}:{_DEFAULT_PORTS[scheme.lower()]}" if scheme and not match["port"] else place_of(match)


def sent_host(match: re.Match[str]) -> str:
    """Return ``$proxy_host``: without the port if it is the scheme's own."""
    return match["host"] if match["port"] == _DEFAULT_PORTS[match["scheme"].lower()] else place_of(match)


def level(block: Sequence[Span], name: str) -> list[Span]:
    """Return the directives of a block with a name."""
    return [span for span in block if span.name == name]


def digest(text: str) -> str:
    """Return eight digits that tell one text from another."""
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def quoted(arg: str) -> str:
    """Return a parameter, in quotes where nginx would read it otherwise."""
    escaped = arg.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"' if re.search(r"[\s;{}\"'\\#]", arg) else arg
