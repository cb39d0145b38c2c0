"""``stackctl cert remove``: deletes an imported certificate, after its sites have another one."""

from __future__ import annotations

from stackctl.certs.shelf import Source
from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.imported import import_name
from stackctl.model.layout import site_of_file
from stackctl.model.routing import Site
from stackctl.model.values import domain
from stackctl.plan.intent import Intent
from stackctl.stackfile.settings import Change, block_of, changed
from stackctl.usecases.converge import Loaded, converge, load, load_current
from stackctl.usecases.result import Result


def remove_imported(context: Context, given: str, *, at_once: bool = False, dry_run: bool = False) -> Result[None]:
    """Delete an imported certificate, given by its name or by a name of its site; its sites get one of their own.

    They are served with it until then; with ``at_once`` it is deleted first, such as one whose key others have.

    Raises:
        InputError: there is no imported certificate of that name.
    """
    loaded = load_current(context)
    shelf = context.directory.shelf((site.name for site in loaded.stack.sites), context.now())
    name = _name(loaded, given)
    stored = shelf.stored.get(name)
    users = [site for site in loaded.stack.sites if _uses(site, name)]
    if (stored is None or stored.source != Source.IMPORTED) and not any(site.imported for site in users):
        imported = [site_of_file(one) for one, there in sorted(shelf.stored.items()) if there.source == Source.IMPORTED]
        hint = f"imported are: {', '.join(imported)}" if imported else "see 'stackctl cert list'"
        if name in shelf.lineages:
            hint = f"it is certbot's: 'stackctl cert retire {name}' deletes it once no site uses it"
        raise InputError(f"there is no imported certificate {given}", hint=hint)
    doc = loaded.doc
    for site in users:
        if site.imported is not None:
            doc = changed(doc, block_of(loaded.values, site), Change("certificate"))
    after = loaded if doc is loaded.doc else load(context, doc, loaded.before)
    names = {domain for site in users for domain in site.domains}
    focus = frozenset(site.name for site in after.stack.sites if names & {*site.domains})
    handed = {} if at_once else dict.fromkeys(sorted(focus), name)
    intent = Intent(focus=focus, hand_over=handed, remove_imports=(name,))
    return converge(context, "cert remove", after, intent, dry_run=dry_run)


def _name(loaded: Loaded, given: str) -> str:
    """Return the name of the imported certificate: as given, or that of the site with the name.

    Raises:
        InputError: the site has one that others share.
    """
    try:
        site = loaded.stack.site(domain(given))
    except InputError:
        site = None
    if site is None:
        return import_name(given)
    if site.imported is not None and site.imported.name != site.name:
        raise InputError(
            f"{site.name} is served with the imported certificate {site_of_file(site.imported.name)}, as other sites "
            "may be",
            where=site.imported.where,
            hint=f"'stackctl unset {site.name} certificate' gives it another one, "
            f"'stackctl cert remove {site.imported.name}' all of them",
        )
    return site.name


def _uses(site: Site, name: str) -> bool:
    return site.imported.name == name if site.imported is not None else site.name == name
