"""``stackctl remove-app``: removes a site."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from stackctl.certs.copied import lineage_pair
from stackctl.certs.held import Held, held, owned
from stackctl.certs.shelf import Shelf, Source
from stackctl.engine.context import Context
from stackctl.errors import InputError, StackfileError
from stackctl.model.backends import Server
from stackctl.model.deploying import CANARY_ROLE
from stackctl.model.layout import site_of_file
from stackctl.model.matching import EVERY_PATH, PathMatch
from stackctl.model.project import Service
from stackctl.model.routing import Site
from stackctl.model.second import second_of
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.plan.retire import unused_lineages
from stackctl.stackfile import edit
from stackctl.stackfile.blocks import Block, competing
from stackctl.stackfile.document import Document
from stackctl.stackfile.keys import KEY
from stackctl.stackfile.paths import Place, blocks_of_site, place_of, refuse_more, without_path
from stackctl.stackfile.read import has_role, read_blocks
from stackctl.stackfile.routes import Placed
from stackctl.stackfile.settings import block_of
from stackctl.usecases.converge import Loaded, converge, load, load_current
from stackctl.usecases.result import Result
from stackctl.wording import listed

_WRITTEN = ("app", CANARY_ROLE)
"""The roles of services that end with their last route."""


def remove_app(  # noqa: PLR0913  (what to remove, and one parameter per option)
    context: Context,
    domain: Domain,
    path: PathMatch | None = None,
    *,
    keep_service: bool = False,
    delete_cert: bool = False,
    dry_run: bool = False,
) -> Result[None]:
    """Remove a site, or one path of it, then its service; volumes stay, and the certificate unless ``delete_cert``.

    Raises:
        InputError: the name is an alias of a site; or other services have paths of it, and no path is given.
    """
    loaded = load_current(context)
    site = loaded.stack.site(domain)
    blocks = _blocks(loaded, site) if site is not None else []
    place = _place(site, blocks, domain, path) if site is not None else None
    if site is None or place is None:
        # Clean up what an interrupted run left behind.
        delete = _certificates(context, loaded, domain, site) if delete_cert and site is None else ()
        result = converge(context, "remove-app", loaded, Intent(focus=frozenset(), delete=delete), dry_run=dry_run)
        return replace(result, notes=(*result.notes, f"{domain}{path or ''} is not routed"))
    whole = path is None or (len(blocks) == 1 and place.is_whole_block and not place.rest)
    if delete_cert and not whole:
        raise InputError(
            f"the certificate of {site.name} is also for its other paths",
            field="delete_cert",
            hint=f"keep the certificate: 'stackctl remove-app {domain}{path}'",
        )
    delete = _certificates(context, loaded, site.name, site) if delete_cert else ()
    removed = blocks[0].routes if path is None else (place.placed,)
    users = _users(loaded, site, blocks, removed)
    own = _own_services(loaded, removed, users)
    canaries = frozenset(one for one in own if loaded.project.services[one].role == CANARY_ROLE)
    stop = canaries if keep_service else own
    doc = _edited(loaded, place, path, stop)
    after = _loaded_without(context, loaded, doc, stop)
    left = {found.name for found in map(after.stack.site, site.domains) if found is not None}
    lost = [name for name in site.domains if left and after.stack.site(name) is None]
    intent = Intent(focus=frozenset(left), write_last=True, stop=stop, delete=delete)
    result = converge(context, "remove-app", after, intent, dry_run=dry_run)
    kept = () if delete else _kept(context, loaded, after, site)
    unnamed = [f"no other app has the name {name}: it is no longer routed" for name in lost]
    return replace(result, notes=(*result.notes, *_notes(loaded, place, users, own), *unnamed, *kept))


def _blocks(loaded: Loaded, site: Site) -> list[Block]:
    """Return the blocks of a site; an item of ``redirects`` is one too."""
    found = blocks_of_site(read_blocks(loaded.values), site)
    if found:
        return found
    path = block_of(loaded.values, site)
    routes = tuple(Placed(route, path) for route in site.routes)
    return [Block(path, site.where, 0, site.domains, routes, site.tuning, site.imported or site.certificate)]


def _place(site: Site, blocks: Sequence[Block], domain: Domain, path: PathMatch | None) -> Place | None:
    """Return what is to be removed: the block of the site, or where its ``path`` is written; None if that is nowhere.

    Raises:
        InputError: the name is an alias, or the site has several blocks, and no path is given.
    """
    if path is not None:
        return place_of(blocks, path)
    if site.name != domain:
        raise InputError(
            f"{domain} is an alias of {site.name}",
            where=site.where,
            hint="remove the alias there and run 'stackctl up'",
        )
    if len(blocks) > 1:
        places = [f"{_path_of(block)} at {block.where}" for block in blocks]
        one = next((path for path in map(_path_of, blocks) if path != str(EVERY_PATH)), EVERY_PATH)
        raise InputError(
            f"several apps share {domain}: {listed(places)}",
            where=site.where,
            hint=f"remove them by their paths: 'stackctl remove-app {domain}{one}'",
        )
    return Place(blocks[0], blocks[0].routes[0])


def _path_of(block: Block) -> str:
    """Return the first path of a block that no other block has; a block may have rules only."""
    return next((str(path) for placed in block.routes for path in competing(placed.route)), "rules")


def _kept(context: Context, loaded: Loaded, after: Loaded, site: Site) -> Iterator[str]:
    """Yield a note for each certificate that only ``site`` used, and that is renewed without it."""
    shelf = context.directory.shelf([one.name for one in loaded.stack.sites], context.now())
    mine = held(site, shelf).lineages
    for one in unused_lineages(shelf, after.stack.sites):
        if one.name in mine:
            yield (
                f"the certificate {site_of_file(one.name)} is kept, and renewed although no site uses it: "
                f"'stackctl cert retire {site_of_file(one.name)}' deletes it"
            )


def _loaded_without(context: Context, loaded: Loaded, doc: Document, stop: frozenset[str]) -> Loaded:
    """Load ``doc``, in which the services in ``stop`` are missing.

    Raises:
        StackfileError: another service refers to one of them.
    """
    try:
        return load(context, doc, loaded.before)
    except StackfileError as error:
        if not stop:
            raise
        raise StackfileError(
            f"without the service {', '.join(sorted(stop))} the file is not valid: {error.message}",
            where=error.where,
            hint="remove the route alone and keep the service, or first remove what refers to it; nothing was changed",
        ) from error


def _certificates(context: Context, loaded: Loaded, domain: Domain, site: Site | None) -> tuple[Held, ...]:
    """Return the certificate to delete: that of the site, or one that a removed site left behind.

    Raises:
        InputError: another site uses the certificate.
    """
    others = [other for other in loaded.stack.sites if other is not site]
    shelf = context.directory.shelf([domain, *(other.name for other in others)], context.now())
    own = owned(domain, shelf.name_of(site) if site else str(domain), shelf)
    lineage = own.lineage if own else None
    if lineage is not None and any(lineage in {other.lineage, *held(other, shelf).lineages} for other in others):
        raise InputError(
            f"the certificate {site_of_file(lineage)} is also used by another site",
            field="delete_cert",
            hint=f"keep the certificate: 'stackctl remove-app {domain}'",
        )
    return tuple(filter(None, (own, _second(site, shelf) if site and lineage else None)))


def _second(site: Site, shelf: Shelf) -> Held | None:
    """Return the second certificate of a site, whether it can be served or not."""
    second = second_of(site)
    own = shelf.own(second) if second is not None else None
    if own is None:
        return None
    return Held(site.name, Source.ACME, lineage_pair(own.name), own.certificate, own.name, own)


def _users(loaded: Loaded, site: Site, blocks: Sequence[Block], removed: Collection[Placed]) -> dict[str, list[str]]:
    """Return what uses each service of the ``removed`` routes without them: sites and streams, by any of its names."""
    left = [placed.route for block in blocks for placed in block.routes if placed not in removed]
    others = [other for other in loaded.stack.sites if other.name != site.name]
    targets: list[tuple[str, Server]] = [(site.name, server) for route in left for server in route.servers]
    targets += [(other.name, server) for other in others for server in other.servers]
    targets += [(f"the stream {stream.port or stream.name}", stream.server) for stream in loaded.stack.streams]
    users: dict[str, list[str]] = {}
    for name in _services(removed):
        service = loaded.project.services.get(name)
        names = {one.lower() for one in ((name, *service.hosts) if service else (name,))}
        users[name] = list(dict.fromkeys(user for user, server in targets if server.endpoint.host.lower() in names))
    return users


def _own_services(loaded: Loaded, removed: Collection[Placed], users: Mapping[str, Sequence[str]]) -> frozenset[str]:
    """Return the services of the ``removed`` routes that stackctl wrote and that serve nothing else.

    A service that the user wrote keeps running without its route.
    """
    services = [loaded.project.services.get(name) for name in _services(removed) if not users[name]]
    return frozenset(
        service.name
        for service in services
        if service is not None and service.role in _WRITTEN and _is_written(loaded.doc, service)
    )


def _services(placed: Collection[Placed]) -> list[str]:
    servers = [server for one in placed for server in one.route.servers]
    return list(dict.fromkeys(server.service for server in servers if server.service is not None))


def _is_written(doc: Document, service: Service) -> bool:
    """Return whether the Compose file itself labels the service as stackctl's: labels are merged and inherited too."""
    own = {str(key.value) for key in doc.own_keys(("services", service.name))}
    return "labels" in own and has_role(doc.data(("services", service.name)), service.role or "")


def _edited(loaded: Loaded, place: Place, path: PathMatch | None, stop: frozenset[str]) -> Document:
    doc, block = loaded.doc, place.block.path
    if path is not None and not place.is_whole_block:
        doc = without_path(doc, place, path)
    else:
        if path is not None:
            refuse_more(place)
        if block[0] == KEY or block[1] not in stop:
            doc = edit.remove(doc, block)
    for service in sorted(stop):
        doc = edit.remove(doc, ("services", service))
    return doc


def _notes(loaded: Loaded, place: Place, users: Mapping[str, Sequence[str]], own: frozenset[str]) -> Iterator[str]:
    written = loaded.values.written((*place.block.path, "domains", 0))
    if written is not None:
        where = place.block.where
        yield f"{where}: the site is removed for every value of {written}: other hosts may use this file too"
    for service, used in users.items():
        if service not in own:
            yield f"the service {service} keeps running{f', for {listed(used)}' if used else ''}"
