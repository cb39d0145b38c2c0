"""``stackctl remove-app``: removes a site."""

from __future__ import annotations

from dataclasses import replace

from stackctl.certs.held import Held, held, owned
from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.routing import Site
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.stackfile import edit
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import KEY
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
    after = load(context, _edited(loaded, site, stop), loaded.before)
    intent = Intent(focus=frozenset(), write_last=True, stop=stop, delete=delete)
    result = converge(context, "remove-app", after, intent, dry_run=dry_run)
    notes = [f"the service {service} keeps running" for service in site.services if service not in own]
    return replace(result, notes=(*result.notes, *notes))


def _certificates(context: Context, loaded: Loaded, domain: Domain, site: Site | None) -> tuple[Held, ...]:
    """Return the certificate to delete: that of the site, or one that a removed site left behind.

    Raises:
        InputError: another site uses the certificate.
    """
    others = [other for other in loaded.stack.sites if other is not site]
    shelf = context.directory.shelf([domain, *(other.name for other in others)])
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
    return frozenset(service.name for service in services if service is not None and service.role == "app")


def _edited(loaded: Loaded, site: Site, stop: frozenset[str]) -> Document:
    doc = loaded.doc
    for index, entry in enumerate(doc.data((KEY, "apps")) or []):
        if doc.where_of((KEY, "apps", index)) == site.where and site.name in entry["domains"]:
            return edit.remove(doc, (KEY, "apps", index))
    for service in site.services:
        doc = edit.remove(doc, ("services", service) if service in stop else ("services", service, KEY))
    return doc
