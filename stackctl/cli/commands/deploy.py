"""``deploy``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.deploying import Drain, Name, SkipHealth, Timeout, deploy_options
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
from stackctl.errors import InputError
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result


def deploy(
    name: Name,
    image: Annotated[
        str | None,
        typer.Option(metavar="NAME:TAG", help="Image of the service from now on; written into its line in the file."),
    ] = None,
    canary: Annotated[
        str | None,
        typer.Option(metavar="N%", help="Run the image beside the service for this share of the clients only."),
    ] = None,
    cookie: Annotated[
        str | None, typer.Option(metavar="NAME=VALUE", help="Cookie whose clients all get the canary.")
    ] = None,
    timeout: Timeout = None,
    drain: Drain = None,
    skip_health: SkipHealth = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Deploy a new version of a service, and lose no request.

    A newer version of its image is pulled first. If a new container does not get ready, the old one serves on. With
    --canary both run until 'promote' or 'abort'.
    """
    from stackctl.cli.run import Common, run
    from stackctl.model import balancing
    from stackctl.stackfile.canaries import Share
    from stackctl.usecases.canary import start_canary
    from stackctl.usecases.deploy import deploy as usecase

    def action(context: Context) -> Result[None]:
        options = deploy_options(timeout, drain, skip_health=skip_health, image=parsed("--image", values.image, image))
        parsed("--cookie", balancing.cookie_pair, cookie)
        percent = parsed("--canary", balancing.share, canary)
        if percent is None:
            if cookie is not None:
                raise InputError("a cookie is for the clients of a canary", where="--cookie", hint="add '--canary 10%'")
            return usecase(context, name, options, dry_run=dry_run)
        if percent == 0 and cookie is None:
            hint = "add '--cookie NAME=VALUE' for the clients that are to get it, or give it a share"
            raise InputError("no client would get a canary with 0% and no cookie", where="--canary", hint=hint)
        return start_canary(context, name, Share(percent, cookie), options, dry_run=dry_run)

    run(Common("deploy", directory, output, verbose, None if dry_run else wait), action)
