"""Finds redirects of paths that lead back to themselves, as a browser would follow them within one site."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import quote, urlsplit

from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT
from stackctl.model.fields import Request
from stackctl.model.router import routed
from stackctl.model.routing import Redirect, Route, Site

_PORTS = {"": None, "http": HTTP_PORT, "https": HTTPS_PORT}


def circles(site: Site) -> Iterator[tuple[Route, str]]:
    """Yield each route that redirects one of its paths back to itself, with that path; rules are left out."""
    for route in site.routes:
        for path in () if route.is_rule else route.match.all_of.paths:
            if _returns(site, route, quote(path.text)):
                yield route, path.text
                break


def _returns(site: Site, route: Route, target: str) -> bool:
    """Return whether a request for ``target``, which is for ``route``, comes back to it."""
    here: Route | None = route
    for _ in site.routes:
        following = _followed(site, here.action, target) if here and isinstance(here.action, Redirect) else None
        if following is None:
            return False
        target = following
        here = routed(site, Request("GET", target)).route
        if here is route:
            return True
    return False


def _followed(site: Site, redirect: Redirect, target: str) -> str | None:
    """Return the target of the next request; None if the redirect leads to another site."""
    parts = urlsplit(redirect.to + target if redirect.keep_path else redirect.to)
    if parts.netloc and (parts.hostname not in site.domains or parts.port not in {None, _PORTS[parts.scheme]}):
        return None
    path = parts.path or "/"
    return f"{path}?{parts.query}" if parts.query else path
