"""``stackctl add-redirect``: adds names that are only redirected."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.engine.context import Context
from stackctl.errors import InputError, StackfileError
from stackctl.model.routing import Redirect
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.stackfile import edit, services
from stackctl.stackfile.document import Document
from stackctl.stackfile.keys import KEY
from stackctl.stackfile.read import read_sites
from stackctl.usecases.converge import Loaded, converge, interpolated, load, open_document
from stackctl.usecases.result import Result


@dataclass(frozen=True, slots=True)
class AddRedirect:
    """The names to redirect, and where to."""

    domain: Domain
    action: Redirect
    aliases: tuple[Domain, ...] = ()
    issue: bool = True
    check: bool = True
    ledger: bool = True


def add_redirect(context: Context, wanted: AddRedirect, *, dry_run: bool = False) -> Result[None]:
    """Redirect names: write the redirect, serve it, issue its certificate and verify it.

    Raises:
        InputError: a name belongs to a site, or is redirected elsewhere; nothing was written.
        StackfileError: the redirect leads back to itself; nothing was written.
    """
    names = (wanted.domain, *wanted.aliases)
    if len(set(names)) < len(names):
        raise InputError("the same domain is given twice", field="alias")
    doc = open_document(context)
    owners = {name: site for site in read_sites(interpolated(context, doc)) for name in site.domains}
    for name in names:
        site = owners.get(name)
        if site is not None and (site.redirect != wanted.action or (set(names) - set(site.domains))):
            leads = f"is already redirected to {site.redirect.to}" if site.redirect else "already belongs to a site"
            hint = f"remove it there, or with 'stackctl remove-app {site.name}'"
            raise InputError(f"{name} {leads}", where=site.where, hint=hint)
    edited = doc
    if wanted.domain not in owners:
        to, code = wanted.action.to, wanted.action.status
        block = services.redirect_block(names, to, code, keep_path=wanted.action.keep_path)
        edited = edit.add_item(doc, (KEY, "redirects"), block)
    loaded = _loaded(context, doc, edited)
    focus = frozenset({owners[wanted.domain].name if wanted.domain in owners else wanted.domain})
    intent = Intent(focus=focus, issue=wanted.issue, check=wanted.check, strict=True, ledger=wanted.ledger)
    return converge(context, "add-redirect", loaded, intent, dry_run=dry_run)


def _loaded(context: Context, doc: Document, edited: Document) -> Loaded:
    """Load ``edited``; an error in the line of the new redirect names the argument, as the line was never written."""
    try:
        return load(context, edited, doc.text)
    except StackfileError as error:
        last = len(edited.data((KEY, "redirects")) or ()) - 1
        if edited is doc or error.where != edited.where_of((KEY, "redirects", last)):
            raise
        raise InputError(error.message, where="NEW", hint=error.hint) from error
