"""Finds redirects that lead in a circle, as a browser would follow them within one site or among several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.fields import Request
from stackctl.model.router import Router
from stackctl.model.routing import Redirect, Route, Site

_PORTS = {"http": HTTP_PORT, "https": HTTPS_PORT}

_MOST = 20
"""Redirects that browsers follow before they give up."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A request that is answered with a redirect.

    Attributes:
        route: the route that redirects it; None where the site's canonical name takes it.
    """

    site: Site
    name: str
    target: str
    route: Route | None
    to: str

    @property
    def at(self) -> tuple[Site, Route | None]:
        """What redirects it."""
        return self.site, self.route

    @property
    def where(self) -> str:
        """``file:line`` of what redirects it."""
        return (self.route.where if self.route else "") or self.site.where

    def __str__(self) -> str:
        return self.name if self.target == "/" or self.site.redirect else f"{self.name}{self.target}"


def circles(sites: Sequence[Site], published: Mapping[str, int] | None = None) -> Iterator[tuple[Hop, ...]]:
    """Yield the redirects of each circle; those of rules are followed, but none begins with one.

    ``published`` are the ports of each scheme besides the usual ones. HTTP and HTTPS lead to the same site.
    """
    starts = [start for site in sites for start in _starts(site)]
    routers = map(Router, sites if starts else ())
    names: dict[str, Router] = {name: router for router in routers for name in router.site.domains}
    ports = {scheme: {None, _PORTS[scheme], (published or {}).get(scheme)} for scheme in _PORTS}
    for name, target in starts:
        found = _circle(names, ports, _hop(names[name], name, target))
        if found:
            yield found


def _starts(site: Site) -> Iterator[tuple[str, str]]:
    if site.canonical is not None:
        yield from ((name, "/") for name in site.domains if name != site.canonical)
    for route in site.routes:
        if isinstance(route.action, Redirect) and not route.is_rule:
            paths = [path.text for path in route.match.all_of.paths] or ["/"]
            yield from ((site.canonical or site.name, quote(path)) for path in paths)


def _hop(router: Router, name: str, target: str) -> Hop | None:
    """Return what a site answers a request with; None if it is no redirect."""
    site = router.site
    if site.canonical not in {None, name}:
        return Hop(site, name, target, None, f"https://{site.canonical}{target}")
    route = router.routed(Request("GET", target)).route
    if route is None or not isinstance(route.action, Redirect):
        return None
    return Hop(site, name, target, route, route.action.to + (target if route.action.keep_path else ""))


def _circle(
    names: Mapping[str, Router], ports: Mapping[str, set[int | None]], first: Hop | None
) -> tuple[Hop, ...] | None:
    """Return the redirects that a browser comes back to; None if it arrives, or leaves the sites."""
    way: list[Hop] = []
    hop = first
    while hop is not None and len(way) <= _MOST:
        way.append(hop)
        parts = urlsplit(hop.to)
        name = (parts.hostname or "") if parts.netloc else hop.name
        router = names.get(name)
        if router is None or (parts.netloc and parts.port not in ports[parts.scheme]):
            return None
        path = quote(parts.path, safe="/%:@!$&'()*+,;=~-._[]") or "/"
        hop = _hop(router, name, f"{path}?{parts.query}" if parts.query else path)
    begin = next(
        (number for number, one in enumerate(way) if one.at in [later.at for later in way[number + 1 :]]), None
    )
    if hop is None or begin is None:
        return None
    end = next(number for number in range(begin + 1, len(way)) if way[number].at == way[begin].at)
    return tuple(way[begin:end])
