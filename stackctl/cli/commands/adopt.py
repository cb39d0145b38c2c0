"""``adopt``."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    Email,
    Output,
    OutputFormat,
    Verbose,
    Wait,
    Yes,
    parsed,
)
from stackctl.errors import ExitCode
from stackctl.model import values
from stackctl.model.layout import CERTBOT_CONF

if TYPE_CHECKING:
    from stackctl.engine.context import Context


ProxyImage = Annotated[
    str | None,
    typer.Option(
        "--proxy-image", "--nginx-image", metavar="IMAGE", help="Image of the proxy. [default: its current image]"
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Continue without settings that are not supported, or if answers differ.")
]
NoCompare = Annotated[
    bool, typer.Option("--no-compare", help="Do not compare the answers of the old proxy and the new one.")
]


def adopt(
    letsencrypt: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help=f"Directory to copy certbot's files from, such as {CERTBOT_CONF.mount}."),
    ] = None,
    email: Email = None,
    proxy_image: ProxyImage = None,
    certbot_image: Annotated[
        str | None, typer.Option(metavar="IMAGE", help="Image of certbot. [default: its current image]")
    ] = None,
    yes: Yes = False,
    force: Force = False,
    no_compare: NoCompare = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Adopt a running stack that another tool made. Its certificates are kept: none is issued again."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.adopt import show, show_plan
    from stackctl.usecases.adopt import survey as usecase
    from stackctl.usecases.adopt import take_over
    from stackctl.usecases.adopt.adoption import AdoptOptions
    from stackctl.usecases.adopt.report import AdoptReport
    from stackctl.usecases.result import Result

    def options() -> AdoptOptions:
        return AdoptOptions(
            letsencrypt=letsencrypt and letsencrypt.absolute(),
            email=parsed("--email", values.email, email),
            proxy_image=parsed("--proxy-image", values.image, proxy_image),
            certbot_image=parsed("--certbot-image", values.image, certbot_image),
            force=force,
            compare=not no_compare,
        )

    can_ask = output is OutputFormat.TEXT and sys.stdin.isatty() and sys.stdout.isatty()

    def action(context: Context) -> Result[AdoptReport | None]:
        adoption = usecase.prepare(context, options())
        if dry_run or not adoption.plan:
            return adoption.shown
        if adoption.stops or not (yes or can_ask):
            note = "nothing was changed" if adoption.stops else "nothing was changed: adopt the stack with --yes"
            return replace(adoption.shown, notes=(note,))
        if yes and adoption.differs:
            note = "nothing was changed: answers differ; adopt the stack with --yes --force, or without --yes"
            return replace(adoption.shown, found=ExitCode.FAILED, notes=(note,))
        if output is OutputFormat.TEXT:
            show_plan(adoption.shown)
        if not yes and not typer.confirm("Adopt this stack?", default=False):
            return Result("adopt", None, notes=("nothing was changed",))
        return take_over.adopt(context, adoption)

    run(Common("adopt", directory, output, verbose, None if dry_run else wait), action, show, options)
