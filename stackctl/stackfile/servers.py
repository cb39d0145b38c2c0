"""Reads the server that a block of the Compose file names: a service and its port, or something outside Compose."""

from __future__ import annotations

from collections.abc import Collection

from stackctl.errors import StackfileError
from stackctl.model import endpoints, values
from stackctl.model.routing import Server, ServerTls
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import checked
from stackctl.stackfile.schema import AppKeys, RouteKeys, ServiceKeys

Services = Collection[str] | None
"""The services of the project; None if they are not known."""


def own_server(doc: Document, path: Path, service: str, keys: ServiceKeys) -> Server:
    """Return the server that the service with the block at ``path`` is."""
    host = checked(doc, path[:-1], values.service_name, service)
    return Server.of(host, keys.port, _server_tls(doc, path, keys, https=keys.protocol == "https"))


def service_server(  # noqa: PLR0913  (the keys of a block, and where they are)
    doc: Document, path: Path, keys: AppKeys | RouteKeys, service: str, port: int, known: Services
) -> Server:
    """Return the server that ``service`` is on ``port``, by the block at ``path``."""
    tls = _server_tls(doc, path, keys, https=keys.protocol == "https")
    if known is not None and service not in known:
        raise StackfileError(f"there is no service {service}", where=doc.where_of((*path, "service")))
    return Server.of(checked(doc, (*path, "service"), values.service_name, service), port, tls)


def outside_server(doc: Document, path: Path, keys: AppKeys | RouteKeys, upstream: str, place: Path) -> Server:
    """Return the server outside Compose that the block at ``path`` names at ``place``."""
    found = checked(doc, place, endpoints.upstream, upstream)
    tls = _server_tls(doc, path, keys, https=found.tls or keys.protocol == "https")
    if tls is not None and tls.verify and tls.name is None and found.endpoint.is_address:
        raise StackfileError(
            f"a certificate cannot be verified for the address {found.endpoint.host}",
            where=doc.where_of(place),
            hint="add 'upstream-tls' with the 'name' of the certificate, or with 'verify: false'",
        )
    return Server(found.endpoint, None, tls)


def _server_tls(doc: Document, path: Path, keys: ServiceKeys | AppKeys | RouteKeys, *, https: bool) -> ServerTls | None:
    """Return how the certificate of an app is verified; None for an app that speaks plain HTTP."""
    said = keys.upstream_tls
    if said is None:
        return ServerTls() if https else None
    place: Path = (*path, "upstream-tls")
    if not https:
        raise StackfileError(
            "'upstream-tls' applies to apps that speak HTTPS only",
            where=doc.where_of(place),
            hint="add 'protocol: https', or write the upstream with https://",
        )
    name = None if said.name is None else checked(doc, (*place, "name"), values.tls_name, said.name)
    ca = None if said.ca is None else checked(doc, (*place, "ca"), values.ca_file, said.ca)
    if not said.verify and ca is not None:
        raise StackfileError(
            "'ca' has no effect with 'verify: false'", where=doc.where_of((*place, "ca")), hint="remove one of them"
        )
    return ServerTls(said.verify, name, ca)
