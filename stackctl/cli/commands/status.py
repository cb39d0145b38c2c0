"""``status``."""

from __future__ import annotations

from stackctl.cli.options import HERE, Directory, Output, OutputFormat, Verbose


def status(
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Show each site: upstream, certificate, what is served."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.status import show
    from stackctl.usecases import status as usecase

    run(Common("status", directory, output, verbose), usecase.status, show)
