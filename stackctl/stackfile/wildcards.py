"""Lets sites under a wildcard use its certificate: fifty names below one domain are one order at the CA."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stackctl.model.routing import Site
from stackctl.model.wildcards import is_wildcard, wildcard_of


def under_wildcards(sites: Sequence[Site]) -> tuple[Site, ...]:
    """Return the sites; one that names no certificate has that of the site whose wildcards cover all of its names."""
    owners = (site for site in sites if not _is_given(site))
    wild = {name: site for site in owners for name in site.domains if is_wildcard(name)}
    return tuple(_covered(site, [wild.get(wildcard_of(name)) for name in site.domains]) for site in sites)


def _is_given(site: Site) -> bool:
    """Return whether a site has a certificate that is not requested by its own name."""
    return site.certificate is not None or site.imported is not None or site.local


def _covered(site: Site, found: Sequence[Site | None]) -> Site:
    first = found[0]
    if _is_given(site) or first is None or first is site:
        return site
    if any(one is not first for one in found) or (site.issuance, site.second_key) != (first.issuance, first.second_key):
        return site
    return replace(site, certificate=first.lineage, dns=True)
