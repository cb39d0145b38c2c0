"""``maintenance``: a group of commands."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    Output,
    OutputFormat,
    Site,
    Verbose,
    Wait,
    parsed,
)
from stackctl.errors import InputError
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result


def on(
    domain: Site,
    message: Annotated[str | None, typer.Option(metavar="TEXT", help="A sentence for visitors.")] = None,
    page: Annotated[
        str | None, typer.Option(metavar="FILE", help="File to show instead, relative to the stack's directory.")
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="When it ends by itself: 18:00, 90m, 2h, 2026-11-27T18:00.")
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="ADDRESS", help="Client or network that sees the app; repeatable."),
    ] = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Answer every request of a site with 503. Deploys and renewals go on."""
    from stackctl.cli.run import Common, run
    from stackctl.model import match_values, page_values
    from stackctl.model.pages import Maintenance, PageFile
    from stackctl.usecases import maintenance as usecase

    def action(context: Context) -> Result[None]:
        if message is not None and page is not None:
            raise InputError("the message is not shown where there is a page", where="--message")
        # The local time zone is that of the user, who names a time of day.
        end = parsed("--until", lambda text: usecase.end_of(text, context.now().astimezone()), until)
        path = parsed("--page", page_values.page_path, page)
        networks = (parsed("--allow", match_values.network, text) for text in allow or ())
        wanted = Maintenance(
            message=parsed("--message", page_values.message, message) or "",
            page=PageFile(path) if path else None,
            until=end,
            allow=tuple(network for network in networks if network is not None),
        )
        return usecase.maintenance_on(context, values.site_domain(domain), wanted, dry_run=dry_run)

    run(Common("maintenance on", directory, output, verbose, None if dry_run else wait), action)


def off(
    domain: Site,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Serve a site again."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import maintenance as usecase

    def action(context: Context) -> Result[None]:
        return usecase.maintenance_off(context, values.site_domain(domain), dry_run=dry_run)

    run(Common("maintenance off", directory, output, verbose, None if dry_run else wait), action)


class HostState(StrEnum):
    """Whether this host is in maintenance."""

    ON = "on"
    OFF = "off"


def host(
    state: Annotated[HostState, typer.Argument(metavar="on|off", help="Whether this host is in maintenance.")],
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Let the load balancer take this host out: its health path answers 503, and the sites go on."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import draining as usecase

    def action(context: Context) -> Result[None]:
        return usecase.drain_host(context, drained=state is HostState.ON, dry_run=dry_run)

    run(Common("maintenance host", directory, output, verbose, None if dry_run else wait), action)
