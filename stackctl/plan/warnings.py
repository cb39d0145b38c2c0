"""Say what is allowed, but certainly not meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from stackctl.model.backends import Backend
from stackctl.model.balancing import Balance
from stackctl.model.layout import site_file
from stackctl.model.routing import Site
from stackctl.model.shadowing import shadowed
from stackctl.proxies.proxy import ProxyLayout


def warnings(sites: Sequence[Site]) -> Iterator[str]:
    """Yield a warning of each route that no request can reach, with both places, and of a balance of one server."""
    for site in sites:
        for route in site.routes:
            if isinstance(route.action, Backend) and _shares_nothing(route.action):
                yield f"{route.where}: {site.name} has one server here, so 'balance' and 'sticky' have no effect"
        for route, hiding in shadowed(site.routes):
            yield (
                f"{route.where}: no request reaches this route of {site.name}, {route.match}: "
                f"the one at {hiding.where} comes first, and takes all of them"
            )


def misnamed_files(sites: Sequence[Site], custom: Mapping[str, bytes], layout: ProxyLayout) -> Iterator[str]:
    """Yield a warning of each file of the user's own that is named after an alias: it follows a site's first name."""
    for site in sites:
        for file, wanted in [
            (f"{site_file(alias)}{end}", f"{site_file(site.name)}{end}")
            for alias in site.aliases
            for end in layout.custom_ends
        ]:
            included = any(file.encode() in content for name, content in custom.items() if name != file)
            if file in custom and not included:
                todo = "move its directives to" if wanted in custom else "rename it to"
                yield (
                    f"{layout.custom}/{file} has no effect, because the first name of that app is {site.name}: "
                    f"{todo} {layout.custom}/{wanted}"
                )


def _shares_nothing(backend: Backend) -> bool:
    """Whether a backend says how to balance, and is one address; a name may be that of several servers."""
    balances = backend.balance is not Balance.ROUND_ROBIN or backend.sticky is not None
    return balances and len(backend.servers) == 1 and not backend.servers[0].is_resolved
