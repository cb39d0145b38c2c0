"""``stackctl remove-app``: removes a site."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from stackctl.certs.held import Held, held, owned
from stackctl.engine.context import Context
from stackctl.errors import InputError, StackfileError
from stackctl.model.routing import Site
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.plan.retire import unused_lineages
from stackctl.stackfile import edit
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.keys import KEY
from stackctl.stackfile.read import has_role
from stackctl.stackfile.settings import block_of
from stackctl.usecases.converge import Loaded, converge, load, load_current
from stackctl.usecases.result import Result


def remove_app(
    context: Context, domain: Domain, *, keep_service: bool = False, delete_cert: bool = False, dry_run: bool = False
) -> Result[None]:
    """Remove a route, then its service; volumes stay, and the certificate too unless ``delete_cert``.

    Raises:
        InputError: the name is an alias of a site.
    """
    loaded = load_current(context)
    site = loaded.stack.site(domain)
    delete = (
        _certificates(context, loaded, domain, site) if delete_cert and (site is None or site.name == domain) else ()
    )
    if site is None:
        # Clean up what an interrupted run left behind.
        result = converge(context, "remove-app", loaded, Intent(focus=frozenset(), delete=delete), dry_run=dry_run)
        return replace(result, notes=(*result.notes, f"{domain} is not routed"))
    if site.name != domain:
        raise InputError(
            f"{domain} is an alias of {site.name}",
            where=site.where,
            hint="remove the alias there and run 'stackctl up'",
        )
    own = _own_services(loaded, site)
    stop = frozenset[str]() if keep_service else own
    route = block_of(loaded.values, site)
    after = _loaded_without(context, loaded, _edited(loaded, route, stop), stop)
    intent = Intent(focus=frozenset(), write_last=True, stop=stop, delete=delete)
    result = converge(context, "remove-app", after, intent, dry_run=dry_run)
    kept = () if delete else _kept(context, loaded, site)
    return replace(result, notes=(*result.notes, *_notes(loaded, site, route, own), *kept))


def _kept(context: Context, loaded: Loaded, site: Site) -> Iterator[str]:
    """Yield a note for each certificate that only ``site`` used, and that is renewed without it."""
    others = [other for other in loaded.stack.sites if other is not site]
    shelf = context.directory.shelf([one.name for one in loaded.stack.sites], context.now())
    mine = held(site, shelf).lineages
    for one in unused_lineages(shelf, others):
        if one.name in mine:
            yield (
                f"the certificate {one.name} is kept, and renewed although no site uses it: "
                f"'stackctl cert retire {one.name}' deletes it"
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
            f"the certificate {lineage} is also used by another site",
            field="delete_cert",
            hint=f"keep the certificate: 'stackctl remove-app {domain}'",
        )
    return (own,) if own else ()


def _own_services(loaded: Loaded, site: Site) -> frozenset[str]:
    """Return the services of the site that stackctl wrote and that serve no other site.

    A service that the user wrote keeps running without its route.
    """
    shared = {service for other in loaded.stack.sites if other.name != site.name for service in other.services}
    services = [loaded.project.services.get(service) for service in site.services if service not in shared]
    return frozenset(
        service.name
        for service in services
        if service is not None and service.role == "app" and _is_written(loaded.doc, service.name)
    )


def _is_written(doc: Document, service: str) -> bool:
    """Return whether the Compose file itself labels the service as stackctl's: labels are merged and inherited too."""
    own = {str(key.value) for key in doc.own_keys(("services", service))}
    return "labels" in own and has_role(doc.data(("services", service)), "app")


def _edited(loaded: Loaded, route: Path, stop: frozenset[str]) -> Document:
    doc = loaded.doc
    if route[0] == KEY or route[1] not in stop:
        doc = edit.remove(doc, route)
    for service in sorted(stop):
        doc = edit.remove(doc, ("services", service))
    return doc


def _notes(loaded: Loaded, site: Site, route: Path, own: frozenset[str]) -> Iterator[str]:
    written = loaded.values.written((*route, "domains", 0))
    if written is not None:
        yield f"{site.where}: the site is removed for every value of {written}: other hosts may use this file too"
    yield from (f"the service {service} keeps running" for service in site.services if service not in own)
