"""``explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import domains
from stackctl.cli.options import HERE, Directory, Output, OutputFormat, Verbose
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.explain import ExplainReport
    from stackctl.usecases.result import Result


def explain(
    address: Annotated[
        str,
        typer.Argument(
            metavar="DOMAIN[/PATH]", autocompletion=domains, help="A name and a path, or the whole https:// address."
        ),
    ],
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Follow one request to its app, and name the broken link. It goes by server block, location and container."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.explain import show
    from stackctl.usecases import explain as usecase

    def action(context: Context) -> Result[ExplainReport]:
        return usecase.explain(context, *values.web_address(address))

    run(Common("explain", directory, output, verbose), action, show, lambda: values.web_address(address))
