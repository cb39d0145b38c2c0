"""Values of a request that is to be traced: each is accepted here once, or refused."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv6Address, ip_address

from stackctl.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^`|~-]{1,100}\Z")
_OWN = ("connection", "content-length", "host", "transfer-encoding", "upgrade")
_LONGEST = 8000
SAFE = ("GET", "HEAD", "OPTIONS")
"""Methods that change nothing, by their definition (RFC 9110, section 9.2.1)."""


def header(text: str) -> tuple[str, str]:
    """Return ``text`` as the name of a header and its value."""
    name, colon, value = text.partition(":")
    if not colon or not _NAME.match(name):
        raise InputError(f"{text!r} is not a header", hint="write it as 'Name: value', without '_' in the name")
    if name.lower() in _OWN:
        raise InputError(f"the request has a header {name} of its own", hint="the address names the host")
    value = value.strip(" \t")
    if len(value) > _LONGEST or not all(char.isprintable() for char in value):
        raise InputError(f"the value of {name} is too long, or has a character that cannot be printed")
    return name, value


def client(text: str) -> IPv4Address | IPv6Address:
    """Return ``text`` as the address of a client."""
    try:
        address = ip_address(text.strip("[]"))
    except ValueError:
        raise InputError(f"{text!r} is not an IP address", hint="write one, such as 192.0.2.7 or 2001:db8::7") from None
    if "%" in text:
        raise InputError(f"{text!r} has a zone, which no proxy sees", hint="write the address without it")
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address
