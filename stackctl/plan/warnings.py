"""Say what is allowed, but certainly not meant."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from stackctl.model.routing import Site
from stackctl.model.shadowing import shadowed


def warnings(sites: Sequence[Site]) -> Iterator[str]:
    """Yield a warning of each route that no request can reach, with both places."""
    for site in sites:
        for route, hiding in shadowed(site.routes):
            yield (
                f"{route.where}: no request reaches this route of {site.name}, {route.match}: "
                f"the one at {hiding.where} comes first, and takes all of them"
            )
