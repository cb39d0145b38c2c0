"""``down``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    Output,
    OutputFormat,
    Verbose,
    Wait,
    parsed,
)
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result


def down(
    directory: Directory = HERE,
    drain: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="First let the load balancer take this host out, and wait so long: 30s."),
    ] = None,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Stop the stack; keep certificates, volumes and files."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.down import show
    from stackctl.usecases import up_down as usecase

    common = Common("down", directory, output, verbose, None if dry_run else wait)

    def action(context: Context) -> Result[usecase.DownReport]:
        return usecase.down(context, drain=parsed("--drain", values.seconds, drain), dry_run=dry_run)

    run(common, action, show)
