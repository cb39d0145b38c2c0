"""Convert the paths of nginx-proxy's sites, which its variables give to other services, to routes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from stackctl.adopt.kept import headers_in_force
from stackctl.adopt.mapping import HEADERS, is_standard
from stackctl.adopt.nginx_conf import NginxConf, ServerBlock, domain_or_none
from stackctl.adopt.proposal import Handling, Proposal, ProposedRoute, Remark
from stackctl.errors import InputError
from stackctl.model.backends import Server
from stackctl.model.endpoints import HTTP_PORT
from stackctl.model.match_values import path_prefix
from stackctl.model.matching import EVERY_PATH, PathMatch
from stackctl.model.project import Project, Service
from stackctl.model.values import Domain
from stackctl.proxies.nginx.directives import Directive, first, named
from stackctl.wording import listed

_OWN = frozenset({"proxy_pass", "set", "#"})
"""Directives of each location that nginx-proxy generates."""


@dataclass(frozen=True, slots=True)
class VirtualPath:
    """``VIRTUAL_PATH`` and ``VIRTUAL_DEST`` of a service."""

    text: str
    rest: str

    @classmethod
    def of(cls, service: Service) -> VirtualPath:
        """Return the path of a service; ``/`` without the variable."""
        environment = service.environment
        return cls(environment.get("VIRTUAL_PATH") or "/", environment.get("VIRTUAL_DEST") or "")

    @property
    def match(self) -> PathMatch | None:
        """The same as the path of a route; None for a pattern, and for one that the app gets as another path."""
        if self.rest not in {"", "/"}:
            return None
        try:
            return path_prefix(self.text)
        except InputError:
            return None

    @property
    def strip(self) -> bool:
        """Whether the app gets the path without it."""
        return bool(self.rest)


def generated_routes(conf: NginxConf, project: Project, port_of: Callable[[Service], int]) -> tuple[NginxConf, Routes]:
    """Return the generated configuration without the locations that become routes, and the routes.

    A location becomes a route if its site has a service for the rest, and if it has nothing of the user's. That of a
    service that does not run was not generated. One of several services stays, as a route leads to one.
    """
    routes: list[ProposedRoute] = []
    remarks: list[Remark] = []
    servers = conf.servers
    headers = headers_in_force(conf.settings)
    shared = Counter(
        (host, match)
        for service in project.services.values()
        if (match := VirtualPath.of(service).match) is not None
        for host in hosts_of(service)
    )
    for service in project.services.values():
        path = VirtualPath.of(service)
        match = path.match
        if match is None or match == EVERY_PATH:
            continue
        own = [server for server in servers if _is_site(server) and hosts_of(service) & set(server.domains)]
        if any(_locations(server, path) and not _passes(server, path) for server in own):
            continue
        names = (name for server in own for name in server.domains if name in hosts_of(service))
        domains = tuple(dict.fromkeys(names))
        if not domains:
            continue
        location = next((one for server in own for one in _locations(server, path)), None)
        port = port_of(service) if location is None else _port(conf, location)
        at = f"service {service.name}" if location is None else location.at
        if any(shared[name, match] > 1 for name in domains):
            if location is None:
                remarks.append(Remark(Handling.UNSUPPORTED, second_service(domains[0], path), at))
            continue
        routes.append(ProposedRoute(domains, match, Server.of(service.name, port), path.strip, at))
        remarks += route_remarks(domains[0], path, headers, at)
        servers = tuple(_without(server, path) if server in own else server for server in servers)
    return replace(conf, servers=servers), Routes(tuple(routes), tuple(remarks))


@dataclass(frozen=True, slots=True)
class Routes:
    """Routes, and what is to be told about them."""

    routes: tuple[ProposedRoute, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def added(self, proposal: Proposal) -> Proposal | None:
        """Return a proposal with the routes, each for names of one site; None if there is a name without a site."""
        known = {name for site in proposal.sites for name in site.domains}
        if any(name not in known for route in self.routes for name in route.domains):
            return None
        routes = tuple(
            replace(route, domains=names)
            for route in self.routes
            for site in proposal.sites
            if (names := tuple(name for name in route.domains if name in site.domains))
        )
        return replace(proposal, routes=routes, remarks=(*proposal.remarks, *self.remarks))


def second_service(name: Domain, path: VirtualPath) -> str:
    """Return what is wrong with a path that a route of another service has already."""
    return f"{name}{path.text}: a second service has this path, but a route leads to one service"


def route_remarks(name: Domain, path: VirtualPath, headers: Iterable[Directive], at: str) -> Iterator[Remark]:
    """Yield what clients and the app see differently where a location becomes a route."""
    place = f"{name}{path.text}"
    yield Remark(Handling.REPLACED, f"{place} is a route", at)
    if not path.text.endswith("/"):
        yield Remark(Handling.CHANGED, f"{place}: a path ends at a '/', so {place}x is no longer part of it", at)
    if path.strip:
        text = "the path is in front of what the app's redirects (Location) and cookies name"
        yield Remark(Handling.CHANGED, f"{place}: {text}", at)
    lost = [one.arg for one in headers if one.args[1:] != ("",) and HEADERS.get(one.arg.lower(), {""}) == {""}]
    if lost:
        yield Remark(Handling.CHANGED, f"{place}: the app no longer gets {listed(lost)}", at)


def hosts_of(service: Service) -> frozenset[Domain]:
    """Return the names of a service that are valid for a site."""
    texts = service.environment.get("VIRTUAL_HOST", "").split(",")
    return frozenset(name for text in texts if (name := domain_or_none(text.strip())) is not None)


def _is_site(server: ServerBlock) -> bool:
    return any(one.args == ("/",) and first(one.inner, "proxy_pass") for one in named(server.body, "location"))


def _locations(server: ServerBlock, path: VirtualPath) -> list[Directive]:
    return [one for one in named(server.body, "location") if one.args == (path.text,)]


def _passes(server: ServerBlock, path: VirtualPath) -> bool:
    """Whether the location of a path only passes requests on, with the path that a route does."""
    [location, *others] = _locations(server, path)
    passed = first(location.inner, "proxy_pass")
    url = passed.arg.removeprefix("http://") if passed is not None else ""
    plain = all(one.name in _OWN or is_standard(one) for one in location.inner)
    rest = "/" if path.strip else ""
    return plain and not others and bool(url) and "$" not in url and "".join(url.partition("/")[1:]) == rest


def _port(conf: NginxConf, location: Directive) -> int:
    """Return the port that a generated location leads to."""
    passed = first(location.inner, "proxy_pass")
    assert passed is not None  # it passes requests on
    host = passed.arg.removeprefix("http://").partition("/")[0]
    group = conf.group(host)
    place = first(group.inner, "server") if group is not None else None
    port = (place.arg if place is not None else host).rpartition(":")[2]
    return int(port) if port.isdigit() else HTTP_PORT


def _without(server: ServerBlock, path: VirtualPath) -> ServerBlock:
    moved = _locations(server, path)
    return replace(server, body=tuple(one for one in server.body if one not in moved))
