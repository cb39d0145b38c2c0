"""The commands that an advice may name and a button can run."""

from __future__ import annotations

from collections.abc import Sequence

from stackctl.errors import InputError
from stackctl.model.values import lineage, site_domain
from stackctl.ui.changes import Change
from stackctl.usecases.cert import retire
from stackctl.usecases.cert_remove import remove_imported
from stackctl.usecases.maintenance import maintenance_off
from stackctl.usecases.renew import renew
from stackctl.usecases.up_down import up

KNOWN = (("up",), ("renew",), ("maintenance", "off"), ("cert", "retire"))
"""How they begin."""


def change_of(words: Sequence[str], back: str) -> Change:  # noqa: PLR0911  (one return for each command)
    """Return the change that a command stands for; ``words`` are those after ``stackctl``.

    What deletes a certificate goes on to the list of them, all else to ``back``.

    Raises:
        InputError: no button runs such a command.
    """
    argv = tuple(words)
    match argv:
        case ("up",):
            title = "Apply the Compose file"
            return Change(title, argv, lambda context, dry_run: up(context, dry_run=dry_run), back)
        case ("renew",):
            title = "Renew the certificates that are due"
            return Change(title, argv, lambda context, dry_run: renew(context, dry_run=dry_run), back)
        case ("renew", "--changed"):
            title = "Renew the certificates whose settings have changed"
            return Change(title, argv, lambda context, dry_run: renew(context, changed=True, dry_run=dry_run), back)
        case ("renew", "--force", name):
            site = site_domain(name)
            title = f"Renew the certificate of {site}"
            return Change(title, argv, lambda context, dry_run: renew(context, force=[site], dry_run=dry_run), back)
        case ("maintenance", "off", name):
            site = site_domain(name)
            title = f"Serve {site} again"
            return Change(title, argv, lambda context, dry_run: maintenance_off(context, site, dry_run=dry_run), back)
        case ("cert", "retire", name):
            given = lineage(name)
            title = f"Delete the certificate {given}"
            return Change(
                title, argv, lambda context, dry_run: retire(context, given, dry_run=dry_run), "/certificates"
            )
        case ("cert", "remove", name):
            title = f"Remove the imported certificate {name}"
            return Change(
                title, argv, lambda context, dry_run: remove_imported(context, name, dry_run=dry_run), "/certificates"
            )
    raise InputError("the page has no button for this command", hint="run it in a terminal")
