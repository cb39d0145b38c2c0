"""``config``."""

from __future__ import annotations

from typing import Annotated

import typer

from stackctl.cli.completion import domains
from stackctl.cli.options import HERE, Directory, Output, OutputFormat, Verbose
from stackctl.model import values


def config(
    domain: Annotated[str, typer.Argument(metavar="DOMAIN", autocompletion=domains, help="Any domain of the site.")],
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Print the proxy configuration of one site."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.config import show
    from stackctl.usecases import config as usecase

    run(
        Common("config", directory, output, verbose),
        lambda context: usecase.config(context, values.site_domain(domain)),
        show,
    )
