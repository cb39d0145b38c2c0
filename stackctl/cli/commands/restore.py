"""``restore``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli import terminal
from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    NoIssue,
    Output,
    OutputFormat,
    PassphraseFile,
    Verbose,
    Wait,
)

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.restore import Archive, RestoreReport
    from stackctl.usecases.result import Result


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Archive written by 'stackctl backup'.")],
    force: Annotated[bool, typer.Option("--force", help="Stop an existing stack, and move its files aside.")] = False,
    no_up: Annotated[bool, typer.Option("--no-up", help="Restore the files without starting the stack.")] = False,
    no_issue: NoIssue = False,
    passphrase_file: PassphraseFile = None,
    identity: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with the age private key of a recipient.")
    ] = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Verify the archive without changing anything.")] = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Restore a stack and its certificates from a backup."""
    from stackctl.cli.run import Common, context_of, run
    from stackctl.cli.views.backup import show_restore
    from stackctl.engine.backup.sealing import Keys, read_passphrase
    from stackctl.usecases import restore as usecase

    options = usecase.RestoreOptions(force, start=not no_up, issue=not no_issue)
    opened: list[Archive] = []
    common = Common("restore", directory, output, verbose, None if dry_run else wait, makes_directory=True)

    def check() -> None:
        known = read_passphrase(passphrase_file) if passphrase_file else None
        ask = _ask_passphrase if terminal.has_terminal() and output is OutputFormat.TEXT else None
        opened.append(usecase.open_archive(file, Keys(known, identity, ask)))
        if not dry_run:
            usecase.refuse_occupied(directory.absolute(), opened[0], options)

    def action(context: Context) -> Result[RestoreReport]:
        return usecase.restore(context, opened[0], options, lambda: context_of(common, context.report), dry_run=dry_run)

    run(common, action, show_restore, check)


def _ask_passphrase() -> str:
    answer: str = typer.prompt("Passphrase of the archive", hide_input=True, err=True)
    return answer
