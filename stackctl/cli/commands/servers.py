"""``servers``: a group of commands."""

from __future__ import annotations

from collections.abc import Callable
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
)
from stackctl.model import values
from stackctl.model.endpoints import upstream

if TYPE_CHECKING:
    from stackctl.cli.run import Common
    from stackctl.engine.context import Context
    from stackctl.stackfile.upstreams import ServerChange
    from stackctl.usecases.result import Result

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="HOST:PORT of a server in 'upstreams'.")]


def show(
    domain: Site,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Show the servers of a site: state, weight, last error. 'servers DOMAIN' is the same."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.servers import show as view
    from stackctl.usecases.servers import ServersReport, show_servers

    def action(context: Context) -> Result[ServersReport]:
        return show_servers(context, values.site_domain(domain))

    run(Common("servers show", directory, output, verbose), action, view)


def drain(
    domain: Site,
    address: Address,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Give a server no new clients; with 'sticky', those that have its cookie stay."""
    from stackctl.cli.run import Common
    from stackctl.stackfile.upstreams import DRAIN

    common = Common("servers drain", directory, output, verbose, None if dry_run else wait)
    _change(common, domain, address, lambda: DRAIN, dry_run=dry_run)


def enable(
    domain: Site,
    address: Address,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Let a drained server have clients again."""
    from stackctl.cli.run import Common
    from stackctl.stackfile.upstreams import ENABLE

    common = Common("servers enable", directory, output, verbose, None if dry_run else wait)
    _change(common, domain, address, lambda: ENABLE, dry_run=dry_run)


def weight(
    domain: Site,
    address: Address,
    number: Annotated[int, typer.Argument(metavar="WEIGHT", help="Its share of the requests, from 1 to 256.")],
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Change a server's share of the requests."""
    from stackctl.cli.run import Common
    from stackctl.stackfile.upstreams import weight_of

    common = Common("servers weight", directory, output, verbose, None if dry_run else wait)
    _change(common, domain, address, lambda: weight_of(number), dry_run=dry_run)


def _change(common: Common, domain: str, address: str, change: Callable[[], ServerChange], *, dry_run: bool) -> None:
    from stackctl.cli.run import run
    from stackctl.usecases.servers import change_server

    def action(context: Context) -> Result[None]:
        at = upstream(address).endpoint
        return change_server(context, values.site_domain(domain), at, change(), dry_run=dry_run)

    run(common, action)
