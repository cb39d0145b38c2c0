"""``doctor``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import domains
from stackctl.cli.options import HERE, Directory, Output, OutputFormat, Verbose
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.doctor.doctor import DoctorReport
    from stackctl.usecases.result import Result


def doctor(
    domain: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="DOMAIN",
            autocompletion=domains,
            show_default=False,
            help="Check only these domains, routed or not. [default: all routed domains]",
        ),
    ] = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Find out why a site or a certificate fails."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.doctor import show
    from stackctl.usecases.doctor import doctor as usecase

    def action(context: Context) -> Result[DoctorReport]:
        return usecase.doctor(context, [values.site_domain(text) for text in domain or ()])

    run(Common("doctor", directory, output, verbose), action, show)
