"""``stackctl cert``: commands about certbot's lineages. ``retire`` deletes one that no site uses."""

from __future__ import annotations

from stackctl.certs.copied import lineage_pair
from stackctl.certs.held import Held
from stackctl.certs.shelf import Source
from stackctl.engine.context import Context
from stackctl.errors import InputError
from stackctl.model.layout import site_file, site_of_file
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.plan.retire import unused_lineages, users_of
from stackctl.usecases.converge import Loaded, converge, load_current
from stackctl.usecases.result import Result
from stackctl.wording import listed


def retire(context: Context, lineage: str, *, dry_run: bool = False) -> Result[None]:
    """Delete the lineage ``lineage`` from certbot's tree, with its keys and its copy for the proxy.

    Raises:
        InputError: there is no such lineage, or a site or the live configuration uses it.
    """
    loaded, lineage = load_current(context), site_file(lineage)
    sites = loaded.stack.sites
    shelf = context.directory.shelf((site.name for site in sites), context.now())
    found = shelf.lineages.get(lineage)
    if found is None:
        names = [site_of_file(one.name) for one in unused_lineages(shelf, sites)]
        hint = f"no site uses: {listed(names)}" if names else "every certificate is used by a site"
        raise InputError(f"certbot has no certificate {site_of_file(lineage)}", hint=hint)
    users = [site.name for site in users_of(lineage, shelf, sites)]
    if users:
        raise InputError(
            f"the certificate {site_of_file(lineage)} is used by {listed(users)}",
            hint="remove the site first, or let it have another certificate",
        )
    _refuse_live(context, loaded, lineage)
    held = Held(Domain(lineage), Source.ACME, lineage_pair(lineage), found.certificate, lineage, found)
    return converge(context, "cert retire", loaded, Intent(focus=frozenset(), retire=(held,)), dry_run=dry_run)


def _refuse_live(context: Context, loaded: Loaded, lineage: str) -> None:
    """Refuse a lineage that the proxy's live files or the user's own files name.

    Raises:
        InputError: one does.
    """
    layout = context.proxy_of(loaded.stack).layout
    named = lineage_pair(lineage).chain.rpartition("/")[0].encode() + b"/"
    files = {**context.delivery(layout).live(), **context.directory.custom(layout)}
    using = sorted(path for path, content in files.items() if named in content)
    if using:
        raise InputError(
            f"the certificate {site_of_file(lineage)} is still named by {listed(using)} of the proxy",
            hint="run 'stackctl up', or remove the directive",
        )
