"""``remove-app``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import places
from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    Output,
    OutputFormat,
    Verbose,
    Wait,
    Yes,
)
from stackctl.errors import InputError

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result


def remove_app(
    domain: Annotated[
        str,
        typer.Argument(
            metavar="DOMAIN[/PATH]", autocompletion=places, help="Main domain of the site, or one path of it."
        ),
    ],
    keep_service: Annotated[
        bool, typer.Option("--keep-service", help="Keep a service that add-app created running.")
    ] = False,
    delete_cert: Annotated[
        bool, typer.Option("--delete-cert", help="Delete its certificate and key too; asks for confirmation.")
    ] = False,
    yes: Yes = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Remove a site, or one path of it: its route, then its service. Volumes and certificates are kept."""
    from stackctl.cli.run import Common, run
    from stackctl.model.match_values import site_and_path
    from stackctl.usecases import remove_app as usecase

    def action(context: Context) -> Result[None]:
        name, path = site_and_path(domain)
        if delete_cert and not yes and not dry_run:
            _confirm(InputError, f"Delete the certificate and the key of {name}? This cannot be undone.")
        return usecase.remove_app(
            context, name, path, keep_service=keep_service, delete_cert=delete_cert, dry_run=dry_run
        )

    run(Common("remove-app", directory, output, verbose, None if dry_run else wait), action)


def _confirm(refused: type[Exception], question: str) -> None:
    if not sys.stdin.isatty():
        raise refused("--delete-cert requires confirmation, but there is no terminal: pass --yes")
    if not typer.confirm(question, default=False):
        raise refused("not confirmed: nothing was changed")
