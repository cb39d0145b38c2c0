"""Reads the sites of a Compose file: the services with keys of their own, and those of the list ``apps``."""

from __future__ import annotations

from collections.abc import Collection

from stackctl.errors import StackfileError
from stackctl.model import endpoints, values
from stackctl.model.routing import Server, ServerTls, Site, Tuning, everything_to
from stackctl.model.values import Domain
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import KEY, checked, decode, tuning
from stackctl.stackfile.schema import AppKeys, ServiceKeys, StackKeys

LONGEST_NAME = 240
"""Files are named after a site; a file name has at most 255 bytes, its ending included."""


def sites_of(doc: Document, top: StackKeys, defaults: Tuning, known: Collection[str] | None) -> tuple[Site, ...]:
    """Return the sites of the file; their services must be among ``known``, unless that is None.

    Raises:
        StackfileError: an unknown key, a wrong value, an unknown service, a name routed twice.
    """
    sites: list[Site] = []
    services = doc.data(("services",)) or {}
    if not isinstance(services, dict):
        raise StackfileError("services must be a mapping of names to services", where=doc.where_of(("services",)))
    for service, body in services.items():
        if isinstance(body, dict) and KEY in body:
            path: Path = ("services", service, KEY)
            keys = decode(doc, path, ServiceKeys)
            host = checked(doc, ("services", service), values.service_name, service)
            tls = _server_tls(doc, path, keys, https=keys.protocol == "https")
            sites.append(_site(doc, path, keys, Server.of(host, keys.port, tls), defaults))
    for index, entry in enumerate(top.apps):
        path = (KEY, "apps", index)
        server = _server(doc, path, entry)
        if known is not None and server.service is not None and server.service not in known:
            raise StackfileError(f"there is no service {server.service}", where=doc.where_of((*path, "service")))
        sites.append(_site(doc, path, entry, server, defaults))
    _refuse_duplicates(sites)
    return tuple(sites)


def _server(doc: Document, path: Path, entry: AppKeys) -> Server:
    if entry.upstream is not None and entry.service is None and entry.port is None:
        found = checked(doc, (*path, "upstream"), endpoints.upstream, entry.upstream)
        tls = _server_tls(doc, path, entry, https=found.tls or entry.protocol == "https")
        if tls is not None and tls.verify and tls.name is None and found.endpoint.is_address:
            raise StackfileError(
                f"a certificate cannot be verified for the address {found.endpoint.host}",
                where=doc.where_of((*path, "upstream")),
                hint="add 'upstream-tls' with the 'name' of the certificate, or with 'verify: false'",
            )
        return Server(found.endpoint, None, tls)
    if entry.service is not None and entry.port is not None and entry.upstream is None:
        tls = _server_tls(doc, path, entry, https=entry.protocol == "https")
        service = checked(doc, (*path, "service"), values.service_name, entry.service)
        return Server.of(service, entry.port, tls)
    raise StackfileError("an app needs 'upstream', or 'service' and 'port'", where=doc.where_of(path))


def _server_tls(doc: Document, path: Path, keys: ServiceKeys | AppKeys, *, https: bool) -> ServerTls | None:
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


def _site(doc: Document, path: Path, keys: ServiceKeys | AppKeys, server: Server, defaults: Tuning) -> Site:
    domains: list[Domain] = []
    for index, text in enumerate(keys.domains):
        place: Path = (*path, "domains", index)
        name = checked(doc, place, values.domain, text)
        if name in domains:
            raise StackfileError(f"{name} is listed twice here", where=doc.where_of(place))
        domains.append(name)
    if len(domains[0]) > LONGEST_NAME:
        raise StackfileError(
            f"{domains[0][:40]}… is too long for file names",
            where=doc.where_of((*path, "domains", 0)),
            hint=f"put a name of at most {LONGEST_NAME} characters first; the long one can be an alias",
        )
    certificate = keys.certificate
    if certificate is not None:
        certificate = checked(doc, (*path, "certificate"), values.lineage, certificate)
    tuned = tuning(doc, path, keys, defaults)
    return Site(tuple(domains), everything_to(server), tuned, doc.where_of(path), certificate)


def _refuse_duplicates(sites: list[Site]) -> None:
    owner: dict[str, Site] = {}
    for site in sites:
        for name in site.domains:
            if name in owner:
                raise StackfileError(f"{name} is routed twice", where=site.where, hint=f"see {owner[name].where}")
            owner[name] = site
