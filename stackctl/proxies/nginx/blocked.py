"""nginx: clients that get 403 before anything else of a site, but not before the challenges of a CA."""

from __future__ import annotations

from collections.abc import Iterator

from stackctl.model.blocked import Blocked
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.variables import Variables

_EVERYWHERE = "$edge_listed"


def blocked_maps(stack: Stack) -> list[Map]:
    """Return the table of the clients that no site answers; none if there are none."""
    return [Map("", _EVERYWHERE, tuple(_rows(stack.blocked, stack)), kind="geo")] if stack.blocked else []


def site_blocked(stack: Stack, site: Site, variables: Variables) -> tuple[list[Map], list[str]]:
    """Return the table of the clients that a site alone refuses, and the lines of its servers for these and all."""
    maps = [Map("", variables.named("listed"), tuple(_rows(site.blocked, stack)), kind="geo")] if site.blocked else []
    names = [*([_EVERYWHERE] if stack.blocked else []), *(one.name for one in maps)]
    return maps, [line for name in names for line in (f"if ({name}) {{", "    return 403;", "}")]


def is_blocked(condition: str) -> bool:
    """Return whether the variable of an ``if`` is one of these."""
    return condition == _EVERYWHERE or (condition.startswith("$site_") and condition.endswith("_listed"))


def _rows(blocked: Blocked, stack: Stack) -> Iterator[tuple[str, str]]:
    for network in blocked.all(stack.pages):
        yield str(network), "1"
