"""nginx: the upstream groups of a site, one for each backend of its routes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from stackctl.errors import InputError
from stackctl.model.backends import Backend, Canary, Server, Speaks
from stackctl.model.balancing import Balance, HashKey, HashKind
from stackctl.model.layout import site_file
from stackctl.model.routing import Site
from stackctl.proxies.nginx.capabilities import Capabilities
from stackctl.proxies.nginx.maps import Map
from stackctl.proxies.nginx.quoting import literal, nginx_quote
from stackctl.proxies.nginx.variables import Variables

_UNUSUAL = re.compile(r"[^a-z0-9._-]")

IDLE = "4s"
"""Shorter than the usual application server keeps its side of an idle connection (5 s)."""

GroupNames = Mapping[Backend, str]
"""The name of the group of each backend of a site."""


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
    """An upstream group.

    Attributes:
        zone: the parameters of its shared memory.
        method: the directives that choose a server.
        servers: each with its parameters.
    """

    name: str
    zone: str
    method: tuple[str, ...]
    servers: tuple[str, ...]

    def lines(self, keepalive: int) -> Iterator[str]:
        """Yield its directives without its servers, in the order that nginx asks for."""
        yield f"zone {self.zone};"
        yield from self.method
        yield f"keepalive {keepalive};"
        yield f"keepalive_timeout {IDLE};"


def group_names(site: Site) -> GroupNames:
    """Return the name of each backend's group: that of ``/`` is named after the site alone.

    nginx compares the names without regard to case.
    """
    names: dict[Backend, str] = {}
    taken: set[str] = set()
    for backend, first in _backends(site):
        if backend in names:
            continue
        name = f"app_{site_file(site.name)}" if first else f"app_{site_file(site.name)}_{_label(backend.servers[0])}"
        count, unique = 1, name
        while unique in taken:
            count += 1
            unique = f"{name}_{count}"
        taken.add(unique)
        names[backend] = unique
    return names


def _backends(site: Site) -> Iterator[tuple[Backend, bool]]:
    """Yield the backends of a site, those of canaries too, and whether each is that of ``/``; this one is the first."""
    routes = sorted(site.routes, key=lambda route: not route.is_root)
    for number, route in enumerate(routes):
        if isinstance(route.action, Backend):
            yield route.action, number == 0 and route.is_root
            if route.action.canary is not None:
                yield _of_canary(route.action, route.action.canary), False


def _of_canary(backend: Backend, canary: Canary) -> Backend:
    """Return the servers of its clients: those of the others are asked only while none of its own answers."""
    others = (replace(server, weight=1, backup=True) for server in backend.servers if not server.drained)
    return Backend((canary.server, *others), health=backend.health)


def _variable(site: Site, backend: Backend) -> str:
    """Return the variable that has the group for a client of a backend with a canary."""
    position = [one for one, _ in _backends(site) if one.canary is not None].index(backend)
    return Variables(site.name).named(f"canary{position}")


def canary_maps(site: Site, names: GroupNames) -> Iterator[Map]:
    """Yield the maps by which each client gets the servers of a backend, or their canary."""
    for backend, name in names.items():
        canary = backend.canary
        if canary is None:
            continue
        variable, main, other = _variable(site, backend), name, names[_of_canary(backend, canary)]
        share = f"{variable}_share"
        if backend.health is not None:
            # Values of 'split_clients' are texts: the names of the groups are in variables.
            yield Map(f"{variable}_arm", variable, (("next", other),), default=main)
            variable, main, other = f"{variable}_arm", '""', "next"
        if canary.percent:
            shares = ((f"{canary.percent}%", other), ("*", main))
            # A client is its address and its program: it stays on its side without a cookie.
            yield Map('"$remote_addr$http_user_agent"', share, shares, default=None, kind="split_clients")
        cookie, value = canary.cookie or ("", "")
        rows = ((literal(f"~^{re.escape(value)}$"), other),) if cookie else ()
        source = f"$cookie_{cookie}" if cookie else '""'
        yield Map(source, variable, rows, default=share if canary.percent else main)


def _label(server: Server) -> str:
    return f"{_UNUSUAL.sub('_', server.endpoint.host.lower())}_{server.endpoint.port}"


def groups_of(names: GroupNames, able: Capabilities) -> list[Group]:
    """Return the groups to render: none where nginx would not start while a server's name does not resolve."""
    return [group_of(backend, name, able) for backend, name in names.items() if has_group(backend, able)]


def group_of(backend: Backend, name: str, able: Capabilities) -> Group:
    """Return the group of a backend."""
    return Group(
        name,
        "apps" if able.upstream_resolve else f"{name} 64k",
        tuple(_method(backend)),
        tuple(_server(server, sticky=backend.sticky is not None) for server in backend.servers),
    )


def has_group(backend: Backend, able: Capabilities) -> bool:
    """Whether a backend is a group: of one address, it need not be."""
    return able.upstream_resolve or (
        len(backend.servers) > 1 and not any(server.is_resolved for server in backend.servers)
    )


def _method(backend: Backend) -> Iterator[str]:
    match backend.balance:
        case Balance.LEAST_CONN:
            yield "least_conn;"
        case Balance.RANDOM:
            yield "random two least_conn;"
        case Balance.HASH:
            # Of requests without a value, each server gets its share.
            yield f"hash {_hashed(backend.hash)} consistent;"
        case Balance.ROUND_ROBIN:
            pass
    if backend.sticky is not None:
        expires = f" expires={backend.sticky.max_age}" if backend.sticky.max_age else ""
        yield f"sticky cookie {backend.sticky.cookie}{expires} path=/ httponly secure samesite=lax;"


def _hashed(key: HashKey | None) -> str:
    assert key is not None, "the balance of this name has one"
    match key.kind:
        case HashKind.SOURCE:
            return "$remote_addr"
        case HashKind.URI:
            return "$request_uri"
        case HashKind.QUERY:
            return f"$arg_{key.name}"
        case HashKind.HEADER:
            return f"$http_{key.name.replace('-', '_')}"
        case HashKind.COOKIE:
            return f"$cookie_{key.name}"


def _server(server: Server, *, sticky: bool) -> str:
    """Return the parameters of ``server``: its address first."""
    parts = [str(server)]
    if server.weight != 1:
        parts.append(f"weight={server.weight}")
    if server.max_connections is not None:
        parts.append(f"max_conns={server.max_connections}")
    if server.backup:
        parts.append("backup")
    if server.drained:
        # Clients with a cookie stay until they leave; without cookies there are only new ones.
        parts.append("drain" if sticky else "down")
    if server.is_resolved:
        parts.append("resolve")
    return " ".join(parts)


def targets_of(site: Site, names: GroupNames, able: Capabilities) -> Mapping[Backend, Target]:
    """Return what ``proxy_pass`` names for each backend.

    Raises:
        InputError: this nginx cannot share requests as the site asks for.
    """
    targets: dict[Backend, Target] = {}
    for backend, name in names.items():
        _refuse_incapable(site, backend, able)
        first = backend.servers[0]
        kind = "grpc" if first.speaks is Speaks.GRPC else "http"
        scheme = kind if first.tls is None else f"{kind}s"
        group = (_variable(site, backend) if backend.canary else name) if has_group(backend, able) else None
        targets[backend] = Target(scheme, group, nginx_quote(str(first)))
    return targets


def _refuse_incapable(site: Site, backend: Backend, able: Capabilities) -> None:
    for since, does, otherwise in _lacking(backend, able):
        raise InputError(
            f"{site.name}: nginx {does} from {since} on; the image has {able.version}",
            where=_where(site, backend),
            hint=f"use a newer image, or {otherwise}",
        )


def _lacking(backend: Backend, able: Capabilities) -> Iterator[tuple[str, str, str]]:
    """Yield the versions that have what a backend needs, each with what that is and what can be written otherwise."""
    if backend.servers[0].speaks is Speaks.H2C and not able.http2_upstream:
        otherwise = "'protocol: grpc' for gRPC, or 'protocol: http' if the app has HTTP/1.1 too"
        yield "1.29.4", "speaks HTTP/2 to an app", otherwise
    if backend.sticky is not None and not able.sticky:
        otherwise = "'balance: hash' with 'hash: cookie:NAME', the name of a cookie of the app"
        yield "1.29.6", "has sticky sessions", otherwise
    if backend.canary is not None and not able.upstream_resolve:
        yield "1.27.3", "has groups of containers, which a canary needs,", "remove 'canary'"
    if has_group(backend, able):
        return
    if len(backend.servers) > 1:
        otherwise = "write addresses in the place of the names"
        yield "1.27.3", "resolves the names of several servers behind one route", otherwise
    if backend.health is not None and backend.servers[0].is_resolved:
        otherwise = "remove 'interval', 'rise' and 'fall' from 'health'"
        yield "1.27.3", "can leave out one of the containers behind a name", otherwise
    if backend.balance is not Balance.ROUND_ROBIN:
        yield "1.27.3", "balances the containers behind a name", "remove 'balance'"


def _where(site: Site, backend: Backend) -> str:
    return next((route.where for route in site.routes if route.action == backend and route.where), site.where)


def all_group_names(sites: Collection[Site]) -> frozenset[str]:
    """Return the names of the groups of all sites."""
    return frozenset(name for site in sites for name in group_names(site).values())
