"""Which route answers a request, and why each earlier one does not: what every proxy has to agree with."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from stackctl.model.fields import Request, is_cookie, is_parameter, is_text, is_value
from stackctl.model.matching import EVERY_PATH, Conditions, FieldMatch, Match, PathKind, PathMatch
from stackctl.model.paths import normalized, sent_prefix
from stackctl.model.patterns import as_bytes, found
from stackctl.model.routing import Route, Site
from stackctl.wording import either, on_one_line


@dataclass(frozen=True, slots=True)
class Passed:
    """A route that is tried earlier, and the condition that the request does not meet."""

    route: Route
    reason: str


@dataclass(frozen=True, slots=True)
class Routed:
    """What a site does with a request.

    Attributes:
        path: as routes compare it; None if the proxy refuses it with 400.
        route: None if no route is for it: 404.
        earlier: the routes that are tried before, in order.
        prefix: what the route takes off the path; None for nothing.
        seen: the target that the server gets; None if the request is refused as its path begins with the prefix only
            when it is decoded.
    """

    path: str | None
    route: Route | None
    earlier: tuple[Passed, ...] = ()
    prefix: str | None = None
    seen: str | None = None


class Router:
    """Finds the routes of one site; they are indexed once, as a site may have a thousand paths."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self._rules = rules_of(site)
        competing = [route for route in reversed(site.routes) if not route.is_rule]
        self._owners = {path: route for route in competing for path in route.match.all_of.paths}

    def routed(self, request: Request) -> Routed:
        """Return which route answers a request."""
        path = normalized(request.target)
        if path is None:
            return Routed(None, None)
        earlier: list[Passed] = []
        route = self.owner_of(path)
        for rule in self._rules:
            reason = unmet(rule.match, request, path)
            if reason is None:
                route = rule
                break
            earlier.append(Passed(rule, reason))
        prefix = stripped(route, path) if route else None
        seen = request.target if prefix is None else without(prefix, request.target)
        return Routed(path, route, tuple(earlier), prefix, seen)

    def owner_of(self, path: str) -> Route | None:
        """Return the route that owns a normalized path, of those that compete by the length of their paths."""
        fitting = (PathMatch(path, PathKind.EXACT), *map(PathMatch, _prefixes_of(path)))
        return next((self._owners[one] for one in fitting if one in self._owners), None)


def routed(site: Site, request: Request) -> Routed:
    """Return which route of ``site`` answers a request."""
    return Router(site).routed(request)


def rules_of(site: Site) -> list[Route]:
    """Return the rules of a site in the order in which they are tried."""
    rules = [route for route in site.routes if route.is_rule]
    return sorted(rules, key=lambda route: (route.priority is None, route.priority or 0))


# Paths


def fits(one: PathMatch, path: str) -> bool:
    """Return whether a normalized path is below a prefix, is an exact path, or is matched by a regular expression."""
    if one.kind is PathKind.REGEX:
        return found(one.text, path)
    return path == one.text if one.kind is PathKind.EXACT else is_below(path, one.text)


def _prefixes_of(path: str) -> Iterator[str]:
    """Yield the prefixes that a path is below, the longest first."""
    end = len(path)
    while end > 0:
        yield path[:end]
        end = path.rfind("/", 0, end)
    yield EVERY_PATH.text


def is_below(path: str, prefix: str) -> bool:
    """Return whether a prefix is that of a path: it ends where the path does, or at a slash."""
    return prefix in {"/", path} or path.startswith(f"{prefix}/")


def stripped(route: Route, path: str) -> str | None:
    """Return what a route takes off a normalized path that it matches: the longest of its prefixes that fits."""
    if not route.strip:
        return None
    fitting = (one for one in route.match.all_of.paths if one.kind is not PathKind.REGEX and fits(one, path))
    best = max(fitting, key=lambda one: (one.kind is PathKind.EXACT, len(one.text)), default=EVERY_PATH)
    return None if best.text == EVERY_PATH.text else best.text


def without(prefix: str, target: str) -> str | None:
    """Return a target without a prefix, the other bytes as they were sent.

    None if it begins with the prefix only when it is decoded.
    """
    match = sent_prefix(prefix).match(as_bytes(target))
    if match is None:
        return None
    rest = target.encode("utf-8", "surrogateescape")[match.end() :].decode("utf-8", "surrogateescape")
    return rest if rest.startswith("/") else f"/{rest}"


# Conditions


def unmet(match: Match, request: Request, path: str) -> str | None:
    """Return the first condition that a request does not meet, as a sentence; None if it meets all."""
    reason = next(_unmet(match.all_of, request, path), None)
    if reason is not None or match.none_of is None:
        return reason
    if next(_unmet(match.none_of, request, path), None) is not None:
        return None
    return "it meets all conditions of 'not'"


def _unmet(of: Conditions, request: Request, path: str) -> Iterator[str]:
    if of.paths and not any(fits(one, path) for one in of.paths):
        yield f"the path is {on_one_line(path)}, not {either([_place(one) for one in of.paths])}"
    if of.methods and request.method not in of.methods:
        yield f"the method is {request.method}, not {either(of.methods)}"
    yield from _fields(of.headers, request.header, "header", is_text)
    yield from _fields(of.query, request.parameter, "parameter", is_parameter)
    yield from _fields(of.cookies, request.cookie, "cookie", is_cookie)
    if of.sources and (request.source is None or not any(request.source in network for network in of.sources)):
        at = request.source or "not known"
        yield f"the client's address is {at}, not in {either([str(network) for network in of.sources])}"


def _place(one: PathMatch) -> str:
    return f"below {one}" if one.kind is PathKind.PREFIX else str(one)


def _fields(
    wanted: Sequence[FieldMatch], get: Callable[[str], str | None], kind: str, written: Callable[[str], str]
) -> Iterator[str]:
    for field in wanted:
        value = get(field.name)
        if value is None:
            yield f"there is no {kind} {field.name}"
        elif field.values and not any(is_value(value, text, written) for text in field.values):
            yield f"the {kind} {field.name} is {value!r}, not {either([str(text) for text in field.values])}"
