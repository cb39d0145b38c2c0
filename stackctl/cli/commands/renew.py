"""``renew``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import domains
from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    IgnoreLedger,
    Output,
    OutputFormat,
    Unattended,
    Verbose,
    Wait,
)
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.renew import RenewReport
    from stackctl.usecases.result import Result


def renew(
    force: Annotated[
        list[str] | None,
        typer.Option(
            metavar="DOMAIN",
            autocompletion=domains,
            help="Renew this site even if it is not due or does not resolve to this host; repeatable.",
        ),
    ] = None,
    changed: Annotated[
        bool,
        typer.Option("--changed", help="Renew each site whose CA, key or profile is not what the Compose file says."),
    ] = False,
    ignore_ledger: IgnoreLedger = False,
    unattended: Unattended = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Renew the certificates that are due."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.renew import show
    from stackctl.usecases import renew as usecase

    def action(context: Context) -> Result[RenewReport]:
        return usecase.renew(
            context,
            force=[values.site_domain(text) for text in force or ()],
            ledger=not ignore_ledger,
            unattended=unattended,
            changed=changed,
            dry_run=dry_run,
        )

    run(Common("renew", directory, output, verbose, None if dry_run else wait), action, show)
