"""``metrics``."""

from __future__ import annotations

from stackctl.cli.options import HERE, Directory, Output, OutputFormat, Verbose


def metrics(
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Print metrics for Prometheus."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.metrics import show
    from stackctl.usecases import metrics as usecase

    run(Common("metrics", directory, output, verbose), usecase.metrics, show)
