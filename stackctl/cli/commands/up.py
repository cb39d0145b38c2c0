"""``up``."""

from __future__ import annotations

from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    Force,
    IgnoreLedger,
    NoIssue,
    Output,
    OutputFormat,
    Unattended,
    Verbose,
    Wait,
)


def up(
    directory: Directory = HERE,
    no_issue: NoIssue = False,
    force: Force = False,
    ignore_ledger: IgnoreLedger = False,
    unattended: Unattended = False,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Apply the Compose file, after an edit or a crash. Changes only what differs."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import up_down as usecase

    common = Common("up", directory, output, verbose, None if dry_run else wait)
    run(
        common,
        lambda context: usecase.up(
            context,
            issue=not no_issue,
            check=not force,
            ledger=not ignore_ledger,
            unattended=unattended,
            dry_run=dry_run,
        ),
    )
