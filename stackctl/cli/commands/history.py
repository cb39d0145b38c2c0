"""``history``."""

from __future__ import annotations

from stackctl.cli.options import (
    HERE,
    Directory,
    Output,
    OutputFormat,
    Verbose,
)


def history(
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """List the recorded states of the stack, and what changed."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.history import show
    from stackctl.usecases import history as usecase

    run(Common("history", directory, output, verbose), usecase.history, show)
