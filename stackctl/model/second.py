"""A site with two certificates for the same names: the proxy shows each client the one whose key it can verify."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from stackctl.model.routing import Site


def second_of(site: Site) -> Site | None:
    """Return the site as it is for its second certificate: with that one's key and lineage; None if it has none.

    One that is imported, or of the stack's own CA, has none beside it.
    """
    if site.second_key is None or site.local or (site.imported is not None and site.imported.fallback is None):
        return None
    issuance = replace(site.issuance, key_type=site.second_key)
    return replace(site, issuance=issuance, second_key=None, is_second=True)


def with_seconds(sites: Iterable[Site]) -> list[Site]:
    """Return the sites, and behind them those that stand for second certificates."""
    first = list(sites)
    return [*first, *(second for site in first if (second := second_of(site)) is not None)]
