"""Reads the server that a block of the Compose file names: a service and its port, or something outside Compose."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace

from stackctl.errors import StackfileError
from stackctl.model import endpoints, values
from stackctl.model.backends import Backend, Server, ServerTls, Speaks
from stackctl.model.endpoints import Endpoint
from stackctl.model.routing import Route, Site
from stackctl.model.values import ServiceName
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import checked
from stackctl.stackfile.schema import AppKeys, RouteKeys, ServiceKeys

Services = Collection[str] | None
"""The services of the project; None if they are not known."""

_WITH_TLS = ("https", "grpcs")
_SPEAKS = {
    "http": Speaks.HTTP,
    "https": Speaks.HTTP,
    "h2c": Speaks.H2C,
    "grpc": Speaks.GRPC,
    "grpcs": Speaks.GRPC,
}


def own_server(doc: Document, path: Path, service: str, keys: ServiceKeys) -> Server:
    """Return the server that the service with the block at ``path`` is."""
    host = checked(doc, path[:-1], values.service_name, service)
    return Server.of(host, keys.port, _server_tls(doc, path, keys), _SPEAKS[keys.protocol])


def service_server(  # noqa: PLR0913  (the keys of a block, and where they are)
    doc: Document, path: Path, keys: AppKeys | RouteKeys, service: str, port: int, known: Services
) -> Server:
    """Return the server that ``service`` is on ``port``, by the block at ``path``."""
    tls = _server_tls(doc, path, keys)
    if known is not None and service not in known:
        raise StackfileError(f"there is no service {service}", where=doc.where_of((*path, "service")))
    host = checked(doc, (*path, "service"), values.service_name, service)
    return Server.of(host, port, tls, _SPEAKS[keys.protocol])


def outside_server(doc: Document, path: Path, keys: AppKeys | RouteKeys, upstream: str, place: Path) -> Server:
    """Return the server outside Compose that the block at ``path`` names at ``place``."""
    found = checked(doc, place, endpoints.upstream, upstream)
    if found.tls and keys.protocol not in {"http", "https"}:
        raise StackfileError(
            f"the upstream is written with https://, but the protocol is {keys.protocol}",
            where=doc.where_of((*path, "protocol")),
            hint=f"write it as {found.endpoint}",
        )
    tls = _server_tls(doc, path, keys, https=found.tls)
    if tls is not None and tls.verify and tls.name is None and found.endpoint.is_address:
        raise StackfileError(
            f"a certificate cannot be verified for the address {found.endpoint.host}",
            where=doc.where_of(place),
            hint="add 'upstream-tls' with the 'name' of the certificate, or with 'verify: false'",
        )
    return Server(found.endpoint, None, tls, _SPEAKS[keys.protocol], where=doc.where_of(place))


def with_services(
    sites: Collection[Site], known: Collection[str], named: Callable[[Server], Server]
) -> tuple[Site, ...]:
    """Return ``sites`` in which an upstream whose host is a service of the project is a server of that service.

    ``named`` returns a server with the service that has its host as an alias.
    """
    services = {name.lower(): ServiceName(name) for name in known}
    return tuple(
        replace(site, routes=tuple(_with_services(route, services, named) for route in site.routes))
        if any(server.service is None and not server.endpoint.is_address for server in site.servers)
        else site
        for site in sites
    )


def _with_services(route: Route, services: Mapping[str, ServiceName], named: Callable[[Server], Server]) -> Route:
    if not isinstance(route.action, Backend):
        return route
    servers = tuple(named(_of_service(server, services)) for server in route.action.servers)
    return replace(route, action=replace(route.action, servers=servers))


def _of_service(server: Server, services: Mapping[str, ServiceName]) -> Server:
    service = services.get(server.endpoint.host) if server.service is None else None
    if service is None:
        return server
    # A service keeps its capital letters, as where a block names it.
    return replace(server, service=service, endpoint=Endpoint(service, server.endpoint.port))


def _server_tls(
    doc: Document, path: Path, keys: ServiceKeys | AppKeys | RouteKeys, *, https: bool = False
) -> ServerTls | None:
    """Return how the certificate of an app is verified; None for an app without TLS."""
    https = https or keys.protocol in _WITH_TLS
    said = keys.upstream_tls
    if said is None:
        return ServerTls() if https else None
    place: Path = (*path, "upstream-tls")
    if not https:
        raise StackfileError(
            "'upstream-tls' applies to apps that speak HTTPS only",
            where=doc.where_of(place),
            hint="add 'protocol: https' or 'protocol: grpcs', or write the upstream with https://",
        )
    name = None if said.name is None else checked(doc, (*place, "name"), values.tls_name, said.name)
    ca = None if said.ca is None else checked(doc, (*place, "ca"), values.ca_file, said.ca)
    if not said.verify and ca is not None:
        raise StackfileError(
            "'ca' has no effect with 'verify: false'", where=doc.where_of((*place, "ca")), hint="remove one of them"
        )
    return ServerTls(said.verify, name, ca)
