"""Reads the sites of a Compose file: the services with keys of their own, and those of the list ``apps``."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from stackctl.errors import StackfileError
from stackctl.model import values
from stackctl.model.backends import Backend, Server
from stackctl.model.routing import Site
from stackctl.model.tuning import Tuning
from stackctl.model.values import Domain
from stackctl.stackfile.backends import backend_of, listed_servers, refuse_balance
from stackctl.stackfile.blocks import Block, merged
from stackctl.stackfile.certificates import certificate_of
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import KEY, checked, decode
from stackctl.stackfile.routes import routes_of
from stackctl.stackfile.schema import AppKeys, ServiceKeys, StackKeys
from stackctl.stackfile.servers import Services, outside_server, own_server, service_server
from stackctl.stackfile.tuning import tuning

LONGEST_NAME = 240
"""Files are named after a site; a file name has at most 255 bytes, its ending included."""


def sites_of(doc: Document, top: StackKeys, defaults: Tuning, known: Collection[str] | None) -> tuple[Site, ...]:
    """Return the sites of the file; their services must be among ``known``, unless that is None.

    Raises:
        StackfileError: an unknown key, a wrong value, an unknown service, a name or a path routed twice.
    """
    return merged(list(blocks_of(doc, top, defaults, known)), defaults)


def blocks_of(doc: Document, top: StackKeys, defaults: Tuning, known: Services) -> Iterator[Block]:
    """Yield what each service and each item of ``apps`` says about a site.

    Raises:
        StackfileError: an unknown key, a wrong value, an unknown service.
    """
    services = doc.data(("services",)) or {}
    if not isinstance(services, dict):
        raise StackfileError("services must be a mapping of names to services", where=doc.where_of(("services",)))
    for service, body in services.items():
        if isinstance(body, dict) and KEY in body:
            path: Path = ("services", service, KEY)
            keys = decode(doc, path, ServiceKeys)
            backend = backend_of(doc, path, keys, [own_server(doc, path, service, keys)], known)
            yield _block(doc, path, keys, backend, defaults, known)
    for index, entry in enumerate(top.apps):
        path = (KEY, "apps", index)
        servers = _servers(doc, path, entry, known)
        if not servers:
            refuse_balance(doc, path, entry, "add 'upstreams', or 'service' and 'port'")
        yield _block(
            doc, path, entry, backend_of(doc, path, entry, servers, known) if servers else None, defaults, known
        )


def _servers(doc: Document, path: Path, entry: AppKeys, known: Services) -> tuple[Server, ...]:
    given = [key for key in ("upstream", "upstreams", "service", "port") if getattr(entry, key) is not None]
    if entry.upstream is not None and given == ["upstream"]:
        return (outside_server(doc, path, entry, entry.upstream, (*path, "upstream")),)
    if given == ["upstreams"]:
        return listed_servers(doc, path, entry)
    if entry.service is not None and entry.port is not None and given == ["service", "port"]:
        return (service_server(doc, path, entry, entry.service, entry.port, known),)
    if entry.routes and not given:
        return ()
    raise StackfileError("an app needs 'upstream', or 'service' and 'port'", where=doc.where_of(path))


def _block(  # noqa: PLR0913  (the block, and what it refers to)
    doc: Document,
    path: Path,
    keys: ServiceKeys | AppKeys,
    backend: Backend | None,
    defaults: Tuning,
    known: Services,
) -> Block:
    domains: list[Domain] = []
    for index, text in enumerate(keys.domains):
        place: Path = (*path, "domains", index)
        name = checked(doc, place, values.site_domain, text)
        if name in domains:
            raise StackfileError(f"{name} is listed twice here", where=doc.where_of(place))
        domains.append(name)
    if len(domains[0]) > LONGEST_NAME:
        raise StackfileError(
            f"{domains[0][:40]}… is too long for file names",
            where=doc.where_of((*path, "domains", 0)),
            hint=f"put a name of at most {LONGEST_NAME} characters first; the long one can be an alias",
        )
    certificate = certificate_of(doc, path, keys.certificate)
    tuned = tuning(doc, path, keys, defaults)
    routes = routes_of(doc, path, keys, backend, tuned, known)
    found = doc.entry(path)
    line = doc.line_of(found[0].start_mark.index) if found else 0
    return Block(path, doc.where_of(path), line, tuple(domains), routes, tuned, certificate)
