"""``logs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import domains
from stackctl.cli.options import HERE, Directory, OutputFormat, Verbose, not_negative, whole_number
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.logs import LogsReport
    from stackctl.usecases.result import Result


def logs(
    domain: Annotated[
        str | None,
        typer.Argument(
            metavar="DOMAIN", autocompletion=domains, show_default=False, help="Show only the lines of this site."
        ),
    ] = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Follow the output.")] = False,
    tail: Annotated[
        int,
        typer.Option(
            metavar="NUMBER",
            parser=whole_number,
            callback=not_negative,
            help="Last lines to show of each service. [default: 100]",
            show_default=False,
        ),
    ] = 100,
    directory: Directory = HERE,
    verbose: Verbose = False,
) -> None:
    """Show the logs of the proxy and the apps."""
    from stackctl.cli.console import make_console, verbatim
    from stackctl.cli.run import Common, run
    from stackctl.usecases import logs as usecase
    from stackctl.usecases.result import Result

    def action(context: Context) -> Result[LogsReport]:
        console, lines = make_console(), 0
        for line in usecase.logs(context, values.site_domain(domain) if domain else None, tail=tail, follow=follow):
            verbatim(console, line)
            lines += 1
        return Result("logs", usecase.LogsReport(lines))

    run(Common("logs", directory, OutputFormat.TEXT, verbose), action)
