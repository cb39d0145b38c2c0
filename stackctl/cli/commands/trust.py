"""``trust`` and ``untrust``."""

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
)
from stackctl.errors import InputError

if TYPE_CHECKING:
    from stackctl.cli.run import Common
    from stackctl.cli.show import View
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result
    from stackctl.usecases.trust import TrustReport

Services = Annotated[
    list[str] | None,
    typer.Option("--service", metavar="NAME", help="A service of the Compose file, instead of this host. Repeatable."),
]


def trust(
    directory: Directory = HERE,
    service: Services = None,
    print_: Annotated[bool, typer.Option("--print", help="Print the root certificate, and change nothing.")] = False,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Let this host and its browsers trust the stack's local CA."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.trust import show, show_root
    from stackctl.usecases import trust as usecase

    def check() -> None:
        if print_ and (service or dry_run):
            raise InputError("cannot be combined with other options", where="--print")

    if print_:
        run(Common("trust", directory, output, verbose), usecase.print_root, show_root, check=check)
    _change("trust", service, Common("trust", directory, output, verbose, None if dry_run else wait), show, dry_run)


def untrust(
    directory: Directory = HERE,
    service: Services = None,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Undo 'trust'."""
    from stackctl.cli.run import Common
    from stackctl.cli.views.trust import show

    _change("untrust", service, Common("untrust", directory, output, verbose, None if dry_run else wait), show, dry_run)


def _change(command: str, services: list[str] | None, common: Common, show: View[TrustReport], dry_run: bool) -> None:
    from stackctl.adapters.trust_stores import TrustStores
    from stackctl.cli.run import run
    from stackctl.cli.views.trust import show_in_services
    from stackctl.usecases import trust as usecase

    def in_services(context: Context) -> Result[usecase.TrustReport]:
        return usecase.trust_in(context, services or (), remove=command == "untrust", dry_run=dry_run)

    def on_host(context: Context) -> Result[usecase.TrustReport]:
        act = usecase.trust if command == "trust" else usecase.untrust
        return act(context, TrustStores(), dry_run=dry_run)

    if services:
        run(common, in_services, show_in_services)
    run(common, on_host, show)
