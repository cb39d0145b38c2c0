"""``set`` and ``unset``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    Force,
    NoIssue,
    Output,
    OutputFormat,
    Site,
    Verbose,
    Wait,
)
from stackctl.errors import InputError
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.stackfile.settings import Change
    from stackctl.usecases.result import Result


def set_keys(
    domain: Site,
    keys: Annotated[
        list[str],
        typer.Argument(
            metavar="KEY=VALUE...",
            help="Key of x-stackctl and its new value; an inner key as upstream-tls.name, a list as a,b.",
        ),
    ],
    no_issue: NoIssue = False,
    force: Force = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Set keys of a site in the Compose file, and apply them."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import set_keys as usecase

    def action(context: Context) -> Result[None]:
        changes = [_assigned(text) for text in keys]
        name = values.site_domain(domain)
        return usecase.set_keys(context, "set", name, changes, issue=not no_issue, check=not force, dry_run=dry_run)

    run(Common("set", directory, output, verbose, None if dry_run else wait), action)


def unset_keys(
    domain: Site,
    keys: Annotated[list[str], typer.Argument(metavar="KEY...", help="Key of x-stackctl to remove.")],
    no_issue: NoIssue = False,
    force: Force = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Remove keys of a site: their defaults apply again."""
    from stackctl.cli.run import Common, run
    from stackctl.stackfile.settings import Change
    from stackctl.usecases import set_keys as usecase

    def action(context: Context) -> Result[None]:
        changes = [Change(key) for key in keys]
        name = values.site_domain(domain)
        return usecase.set_keys(context, "unset", name, changes, issue=not no_issue, check=not force, dry_run=dry_run)

    run(Common("unset", directory, output, verbose, None if dry_run else wait), action)


def _assigned(text: str) -> Change:
    from stackctl.stackfile.settings import Change

    key, equals, value = text.partition("=")
    if not equals or not value:
        raise InputError("this is not KEY=VALUE", where=text, hint="remove a key with 'stackctl unset DOMAIN KEY'")
    return Change(key, value)
