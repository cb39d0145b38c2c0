"""nginx: the upstream groups of a site, one for each backend of its routes."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from stackctl.errors import InputError
from stackctl.model.matching import EVERY_PATH
from stackctl.model.routing import Backend, Server, Site
from stackctl.proxies.nginx.capabilities import Capabilities
from stackctl.proxies.nginx.quoting import nginx_quote

_UNUSUAL = re.compile(r"[^a-z0-9._-]")


@dataclass(frozen=True, slots=True)
class Target:
    """What ``proxy_pass`` names for a backend.

    Attributes:
        group: the upstream group; None before nginx can resolve the servers of one.
        address: without a group: the server, as a parameter of nginx.
    """

    scheme: str
    group: str | None
    address: str


@dataclass(frozen=True, slots=True)
class Group:
    """An upstream group, with its servers and whether each is resolved."""

    name: str
    servers: tuple[tuple[str, bool], ...]


def group_names(site: Site) -> Mapping[Backend, str]:
    """Return the name of each backend's group: that of ``/`` is named after the site alone.

    nginx compares the names without regard to case.
    """
    names: dict[Backend, str] = {}
    taken: set[str] = set()
    routes = sorted(site.routes, key=lambda route: route.is_rule or EVERY_PATH not in route.match.all_of.paths)
    for number, route in enumerate(routes):
        backend = route.action
        if not isinstance(backend, Backend) or backend in names:
            continue
        first = number == 0 and not route.is_rule and EVERY_PATH in route.match.all_of.paths
        name = f"app_{site.name}" if first else f"app_{site.name}_{_label(backend.servers[0])}"
        count, unique = 1, name
        while unique in taken:
            count += 1
            unique = f"{name}_{count}"
        taken.add(unique)
        names[backend] = unique
    return names


def _label(server: Server) -> str:
    return f"{_UNUSUAL.sub('_', server.endpoint.host.lower())}_{server.endpoint.port}"


def groups_of(site: Site, able: Capabilities) -> list[Group]:
    """Return the groups to render: none where nginx would not start while a server's name does not resolve."""
    if not able.upstream_resolve:
        return []
    return [
        Group(name, tuple((str(server), server.is_resolved) for server in backend.servers))
        for backend, name in group_names(site).items()
    ]


def targets_of(site: Site, able: Capabilities) -> Mapping[Backend, Target]:
    """Return what ``proxy_pass`` names for each backend.

    Raises:
        InputError: several servers share requests, which this nginx can do by addresses only.
    """
    targets: dict[Backend, Target] = {}
    for backend, name in group_names(site).items():
        first, *others = backend.servers
        if others and not able.upstream_resolve:
            raise InputError(
                f"{site.name}: nginx resolves the names of several servers behind one route from 1.27.3 on",
                where=_where(site, backend),
                hint="use a newer image, or one server for this route",
            )
        scheme = "http" if first.tls is None else "https"
        targets[backend] = Target(scheme, name if able.upstream_resolve else None, nginx_quote(str(first)))
    return targets


def _where(site: Site, backend: Backend) -> str:
    return next((route.where for route in site.routes if route.action == backend and route.where), site.where)


def all_group_names(sites: Collection[Site]) -> frozenset[str]:
    """Return the names of the groups of all sites."""
    return frozenset(name for site in sites for name in group_names(site).values())
