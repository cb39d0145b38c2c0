"""The hop of a request in the Compose file: the route that is for it, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stackctl.diagnose.check import Verdict
from stackctl.diagnose.hops import Hop, HopKind
from stackctl.model.backends import Backend
from stackctl.model.matching import Conditions, FieldMatch, Match, PathKind, PathMatch
from stackctl.model.router import Routed
from stackctl.model.routing import Action, Redirect, Route, Site
from stackctl.wording import either, on_one_line


def is_plain(site: Site) -> bool:
    """Return whether a site has one server for all its requests, and nothing to explain."""
    only = site.routes[0] if len(site.routes) == 1 else None
    return (
        only is not None
        and isinstance(only.action, Backend)
        and replace(only, where="", tuning=None) == Route(Match(), only.action)
    )


def judge_route(site: Site, routed: Routed) -> Hop:
    """Return which route of the Compose file answers a request."""
    route = routed.route
    if routed.path is None:
        todo = "send each '%' with two hexadecimal digits behind it, and no '..' that leads above the first slash"
        return Hop(HopKind.ROUTE, Verdict.WRONG, "the proxy answers 400: the path cannot be decoded", None, todo)
    if route is None:
        todo = "add a route for it, or one for '/'"
        text = f"404: no route has the path {on_one_line(routed.path)}"
        return Hop(HopKind.ROUTE, Verdict.WRONG, text, site.where or None, todo)
    where = route.where or site.where or None
    text = f"{described(route.match)}: {acted(route.action)}"
    if routed.seen is None:
        why = f"the path begins with {routed.prefix} only when it is decoded, or has '..' behind it: 400"
        todo = f"send the path from {routed.prefix} on, as it is written in the Compose file"
        return Hop(HopKind.ROUTE, Verdict.WRONG, text, where, todo, why)
    seen = f", which gets {routed.seen}" if routed.prefix and isinstance(route.action, Backend) else ""
    return Hop(HopKind.ROUTE, Verdict.OK, f"{text}{seen}", where)


def acted(action: Action) -> str:
    """Return what a route does."""
    if isinstance(action, Backend):
        return ", ".join(map(str, action.servers))
    if isinstance(action, Redirect):
        return f"{action.status} to {action.to}{', with the path behind it' if action.keep_path else ''}"
    return f"{action.status}, by the proxy itself"


def described(match: Match) -> str:
    """Return which requests a route is for."""
    text = ", ".join(_conditions(match.all_of)) or "every request"
    if match.none_of is not None:
        text += f", but not {' and '.join(_conditions(match.none_of)) or 'any'}"
    return text


def _conditions(of: Conditions) -> Iterator[str]:
    if of.paths:
        yield f"path {either([_path(path) for path in of.paths])}"
    if of.methods:
        yield f"method {either(of.methods)}"
    for kind, fields in (("header", of.headers), ("parameter", of.query), ("cookie", of.cookies)):
        yield from (_field(kind, field) for field in fields)
    if of.sources:
        yield f"from {either([str(network) for network in of.sources])}"


def _path(path: PathMatch) -> str:
    return f"{path} exactly" if path.kind is PathKind.EXACT else str(path)


def _field(kind: str, field: FieldMatch) -> str:
    return f"{kind} {field.name}" + (f" {either([str(text) for text in field.values])}" if field.values else "")
