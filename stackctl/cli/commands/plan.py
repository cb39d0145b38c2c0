"""``plan``."""

from __future__ import annotations

from typing import Annotated

import typer

from stackctl.cli.options import (
    HERE,
    Directory,
    IgnoreLedger,
    NoIssue,
    Output,
    OutputFormat,
    Unattended,
    Verbose,
)


def plan(
    check: Annotated[bool, typer.Option("--check", help="Exit with code 10 if the plan has changes.")] = False,
    no_issue: NoIssue = False,
    ignore_ledger: IgnoreLedger = False,
    unattended: Unattended = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Show what 'up' would do and why, with a diff of each file. Nothing is changed."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.plan import show
    from stackctl.usecases import up_down as usecase

    run(
        Common("plan", directory, output, verbose),
        lambda context: usecase.plan(
            context, issue=not no_issue, ledger=not ignore_ledger, unattended=unattended, check=check
        ),
        show,
    )
