"""Finds the routes that no request can reach, because one that is tried earlier takes all of theirs.

What it finds is true, but it does not find everything: several routes may hide one together.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from stackctl.model.matching import EVERY_PATH, Conditions, FieldMatch, Match, Network, PathKind, PathMatch, Text
from stackctl.model.routing import Route


def shadowed(routes: Sequence[Route]) -> Iterator[tuple[Route, Route]]:
    """Yield each route that can never match, with the first one that hides it."""
    rules = sorted(
        (route for route in routes if route.is_rule), key=lambda route: (route.priority is None, route.priority or 0)
    )
    for number, route in enumerate(rules):
        yield from _hidden(route, rules[:number])
    for route in routes:
        if not route.is_rule:
            yield from _hidden(route, rules)


def _hidden(route: Route, earlier: Sequence[Route]) -> Iterator[tuple[Route, Route]]:
    hiding = next((one for one in earlier if implies(route.match, one.match)), None)
    if hiding is not None:
        yield route, hiding


def implies(one: Match, other: Match) -> bool:
    """Return whether ``other`` is certain to be for every request that ``one`` is for."""
    if other.none_of is not None and other.none_of != one.none_of:
        return False
    return _implies(one.all_of, other.all_of)


def _implies(one: Conditions, other: Conditions) -> bool:
    return (
        (not other.paths or all(_path_in(path, other.paths) for path in one.paths or (EVERY_PATH,)))
        and (not other.methods or (bool(one.methods) and {*one.methods} <= {*other.methods}))
        and _fields_in(one.headers, other.headers)
        and _fields_in(one.query, other.query, decoded=True)
        and _fields_in(one.cookies, other.cookies, decoded=True)
        and (not other.sources or (bool(one.sources) and all(_source_in(net, other.sources) for net in one.sources)))
    )


def _path_in(path: PathMatch, others: Collection[PathMatch]) -> bool:
    return any(path == other or _is_below(path, other) for other in others)


def _is_below(path: PathMatch, other: PathMatch) -> bool:
    if other.kind is not PathKind.PREFIX:
        return False
    if other == EVERY_PATH:
        return True
    below = path.text == other.text or path.text.startswith(f"{other.text}/")
    return path.kind is not PathKind.REGEX and below


def _fields_in(fields: Sequence[FieldMatch], others: Sequence[FieldMatch], *, decoded: bool = False) -> bool:
    return all(
        any(field.name == other.name and _values_in(field, other, decoded=decoded) for field in fields)
        for other in others
    )


def _values_in(field: FieldMatch, other: FieldMatch, *, decoded: bool) -> bool:
    if not other.values:
        return True
    return bool(field.values) and all(_value_in(value, other.values, decoded=decoded) for value in field.values)


def _value_in(value: Text, others: Collection[Text], *, decoded: bool) -> bool:
    if value in others:
        return True
    # A regular expression sees a query and a cookie as they were sent, which an exact value does not tell.
    return not (value.regex or decoded) and any(other.regex and re.search(other.text, value.text) for other in others)


def _source_in(network: Network, others: Collection[Network]) -> bool:
    return any(
        network.version == other.version and network.network_address in other and network.prefixlen >= other.prefixlen
        for other in others
    )
