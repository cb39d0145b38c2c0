"""Which route answers a request, and why each earlier one does not: what every proxy has to agree with."""

from __future__ import annotations

from stackctl.model.matching import EVERY_PATH, PathKind, PathMatch
from stackctl.model.routing import Route, Site


def owner_of(site: Site, path: str) -> Route | None:
    """Return the route that owns a normalized path, of those that compete by the length of their paths."""
    best: tuple[bool, int] | None = None
    owner: Route | None = None
    for route in site.routes:
        for one in () if route.is_rule else route.match.all_of.paths:
            rank = (one.kind is PathKind.EXACT, len(one.text))
            if fits(one, path) and (best is None or rank > best):
                best, owner = rank, route
    return owner


def is_below(path: str, prefix: str) -> bool:
    """Return whether a prefix is that of a path: it ends where the path does, or at a slash."""
    return prefix in {"/", path} or path.startswith(f"{prefix}/")


def stripped(route: Route, path: str) -> str | None:
    """Return what a route takes off a normalized path that it matches: the longest of its paths that fits."""
    if not route.strip:
        return None
    fitting = (one for one in route.match.all_of.paths if fits(one, path))
    best = max(fitting, key=lambda one: (one.kind is PathKind.EXACT, len(one.text)), default=EVERY_PATH)
    return best.text


def fits(one: PathMatch, path: str) -> bool:
    """Return whether a normalized path is below a prefix, or is an exact path."""
    return path == one.text if one.kind is PathKind.EXACT else is_below(path, one.text)
