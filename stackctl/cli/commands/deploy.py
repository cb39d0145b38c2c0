"""``deploy``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import domains, services
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


def _sites_and_services(ctx: typer.Context, incomplete: str) -> list[str]:
    return [*domains(ctx, incomplete), *services(ctx, incomplete)]


def deploy(
    name: Annotated[
        str,
        typer.Argument(
            metavar="DOMAIN|SERVICE",
            autocompletion=_sites_and_services,
            help="A domain of the site whose services are deployed, or one service.",
        ),
    ],
    image: Annotated[
        str | None,
        typer.Option(metavar="NAME:TAG", help="Image of the service from now on; written into its line in the file."),
    ] = None,
    timeout: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="How long a new container may take until it is ready, such as 60s."),
    ] = None,
    drain: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long requests to an old container may go on, such as 30s.")
    ] = None,
    skip_health: Annotated[
        bool, typer.Option("--skip-health", help="Do not wait until a new container is ready: it only has to run.")
    ] = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Deploy a new version of a service, and lose no request.

    A newer version of its image is pulled first. If a new container does not get ready, the old one serves on.
    """
    from stackctl.cli.run import Common, run
    from stackctl.usecases import deploy as usecase

    def action(context: Context) -> Result[None]:
        options = usecase.DeployOptions(
            image=parsed("--image", values.image, image),
            timeout=parsed("--timeout", values.seconds, timeout),
            drain=parsed("--drain", values.seconds, drain),
            skip_health=skip_health,
        )
        return usecase.deploy(context, name, options, dry_run=dry_run)

    run(Common("deploy", directory, output, verbose, None if dry_run else wait), action)
