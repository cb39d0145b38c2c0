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
            metavar="DOMAIN[/PATH]", autocompletion=domains, help="Domain and path, or the full https:// URL."
        ),
    ],
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Trace one request to its app; name the hop that fails."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.explain import show
    from stackctl.usecases import explain as usecase

    def action(context: Context) -> Result[ExplainReport]:
        return usecase.explain(context, *values.web_address(address))

    run(Common("explain", directory, output, verbose), action, show, lambda: values.web_address(address))
