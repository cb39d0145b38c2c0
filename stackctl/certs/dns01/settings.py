"""The zones of ``x-stackctl.dns``, as stackctl writes them for the container."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from stackctl.certs.dns01.zones import DnsProblem

ZONES = Path("/etc/stackctl/dns/zones.json")
VARIABLE = "STACKCTL_DNS_ZONES"
"""Names another file, for tests."""


def zones() -> dict[str, dict[str, Any]]:
    """Return the zones, by name; none if the file is missing."""
    try:
        found = json.loads(Path(os.environ.get(VARIABLE) or ZONES).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    return {name: {**zone, "name": name} for name, zone in found.items()}


def zone_for(domain: str, known: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the zone by which a name is proved: the longest one above it.

    Raises:
        DnsProblem: there is none.
    """
    at = bare = _base(domain)
    while at:
        if at in known:
            return known[at]
        at = at.partition(".")[2]
    raise DnsProblem(f"x-stackctl.dns has no zone for {bare}", "add it with 'stackctl dns add ZONE --provider NAME'")


def record_name(domain: str) -> str:
    """Return the name of the record of a DNS-01 challenge (RFC 8555, section 8.4); a wildcard has that of its base."""
    return f"_acme-challenge.{_base(domain)}"


def _base(domain: str) -> str:
    return domain[2:] if domain[:2] == "*." else domain
