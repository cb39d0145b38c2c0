"""Replace addresses of the project's containers by the names of their services: a new container has another address."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from stackctl.adopt.mapping import PASSES
from stackctl.proxies.nginx.directives import Directive

_NAMED = PASSES | {"server"}
_PLACE = re.compile(r"(?P<scheme>[a-z]+://)?(?P<address>\d+(?:\.\d+){3})(?P<rest>(?::\d+)?(?:/.*)?)\Z")


def by_name(directives: Iterable[Directive], services: Mapping[str, str]) -> Iterator[Directive]:
    """Return the directives with the names of ``services``, which are by their addresses."""
    for one in directives:
        if one.block is not None:
            yield one.with_block(by_name(one.block, services))
            continue
        place = _PLACE.match(one.arg) if one.name in _NAMED else None
        name = services.get(place["address"]) if place else None
        if place is None or name is None:
            yield one
        else:
            yield replace(one, args=(f"{place['scheme'] or ''}{name}{place['rest']}", *one.args[1:]))
