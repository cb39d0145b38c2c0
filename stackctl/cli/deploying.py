"""Options of the commands that deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import domains, services
from stackctl.cli.options import parsed
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.usecases.deploy import DeployOptions


def _sites_and_services(ctx: typer.Context, incomplete: str) -> list[str]:
    return [*domains(ctx, incomplete), *services(ctx, incomplete)]


Name = Annotated[
    str,
    typer.Argument(
        metavar="DOMAIN|SERVICE",
        autocompletion=_sites_and_services,
        help="A domain of the site whose services are deployed, with a path for those of that path, or one service.",
    ),
]
Timeout = Annotated[
    str | None, typer.Option(metavar="TIME", help="How long a new container may take until it is ready, such as 60s.")
]
Drain = Annotated[
    str | None, typer.Option(metavar="TIME", help="How long requests to an old container may go on, such as 30s.")
]
SkipHealth = Annotated[
    bool, typer.Option("--skip-health", help="Do not wait until a new container is ready: it only has to run.")
]


def deploy_options(
    timeout: str | None, drain: str | None, *, skip_health: bool = False, image: str | None = None
) -> DeployOptions:
    """Return the options of a deploy, as they were given."""
    from stackctl.usecases.deploy import DeployOptions

    return DeployOptions(
        image=image,
        timeout=parsed("--timeout", values.seconds, timeout),
        drain=parsed("--drain", values.seconds, drain),
        skip_health=skip_health,
    )
