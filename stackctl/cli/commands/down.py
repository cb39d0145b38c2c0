"""``down``."""

from __future__ import annotations

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


def down(
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Stop the stack; keep certificates, volumes and files."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.down import show
    from stackctl.usecases import up_down as usecase

    common = Common("down", directory, output, verbose, None if dry_run else wait)
    run(common, lambda context: usecase.down(context, dry_run=dry_run), show)
