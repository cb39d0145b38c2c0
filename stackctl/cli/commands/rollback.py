"""``rollback``."""

from __future__ import annotations

from typing import Annotated

import typer

from stackctl.cli.completion import numbers
from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    IgnoreLedger,
    NoIssue,
    Output,
    OutputFormat,
    Verbose,
    Wait,
    whole_number,
)


def _at_least_1(number: int | None) -> int | None:
    if number is not None and number < 1:
        raise typer.BadParameter(f"{number} is less than 1")
    return number


def rollback(
    number: Annotated[
        int | None,
        typer.Argument(
            metavar="NUMBER",
            parser=whole_number,
            callback=_at_least_1,
            autocompletion=numbers,
            show_default=False,
            help="History entry to roll back to. [default: the state before the last change]",
        ),
    ] = None,
    no_issue: NoIssue = False,
    ignore_ledger: IgnoreLedger = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Roll back to an earlier state, by the same steps as any change.

    Restores the Compose file and nginx/custom. A rollback can be rolled back too.
    """
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.rollback import show
    from stackctl.usecases import rollback as usecase

    common = Common("rollback", directory, output, verbose, None if dry_run else wait)
    run(
        common,
        lambda context: usecase.rollback(
            context, number, issue=not no_issue, ledger=not ignore_ledger, dry_run=dry_run
        ),
        show,
    )
