"""``cert``: a group of commands."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import lineages
from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    Output,
    OutputFormat,
    Verbose,
    Wait,
)
from stackctl.errors import InputError
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result


def retire(
    lineage: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=lineages, help="Name of the certificate in certbot's tree.")
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")] = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Delete a certificate that no site uses, with its key, so that it is not renewed any more."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import cert as usecase

    def action(context: Context) -> Result[None]:
        name = values.lineage(lineage)
        if not yes and not dry_run:
            _confirm(context, name)
        return usecase.retire(context, name, dry_run=dry_run)

    def _confirm(context: Context, name: str) -> None:
        from stackctl.cli.console import make_console, plain

        plan = usecase.retire(context, name, dry_run=True).plan
        if not sys.stdin.isatty():
            raise InputError("deleting a certificate requires confirmation, but there is no terminal: pass --yes")
        plain(make_console(stderr=True), str(plan))
        if not typer.confirm("Delete it with its key? This cannot be undone.", default=False):
            raise InputError("not confirmed: nothing was changed")

    run(Common("cert retire", directory, output, verbose, None if dry_run else wait), action)
