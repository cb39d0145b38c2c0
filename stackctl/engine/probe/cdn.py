"""Find out which content delivery network a name leads to, by its addresses alone."""

from __future__ import annotations

from stackctl.diagnose.cdn import cdn_of
from stackctl.observed.network import Network


def cdn_of_name(network: Network, name: str) -> str | None:
    """Return the CDN whose addresses ``name`` has, or None."""
    records = [one for kind in ("A", "AAAA") for one in network.lookup(name, kind).records]
    return next((found for one in records if (found := cdn_of(one, {})) is not None), None)
