"""``backup`` and ``restore``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    NoIssue,
    Output,
    OutputFormat,
    Verbose,
    Wait,
)
from stackctl.errors import InputError

if TYPE_CHECKING:
    from stackctl.engine.backup.sealing import Seal
    from stackctl.engine.context import Context
    from stackctl.usecases.restore import Archive
    from stackctl.usecases.result import Result

PassphraseFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="File whose first line is the archive's passphrase.")
]


def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The archive, or - for standard output.")],
    force: Annotated[bool, typer.Option("--force", help="Replace a file that is there.")] = False,
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Encrypt it, with a passphrase that is asked for.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    recipient: Annotated[
        list[str] | None,
        typer.Option(metavar="AGE1…", help="Encrypt it for the owner of this age key; repeatable."),
    ] = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Write one archive of everything that cannot be made again."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import backup as usecase

    piped = file == "-"
    asked: list[usecase.BackupOptions] = []

    def check() -> None:
        if piped and output is OutputFormat.JSON:
            raise InputError("standard output cannot take both the archive and JSON", where="--output")
        if piped and sys.stdout.isatty():
            raise InputError("an archive is nothing for a terminal", hint="name a file, or pipe it somewhere")
        seal = _seal(passphrase, passphrase_file, tuple(recipient or ()))
        target = sys.stdout.buffer if piped else Path(file)
        asked.append(usecase.BackupOptions(target, force, seal, wait))
        asked[0].check(directory.absolute())

    common = Common("backup", directory, output, verbose, wait, takes_stdout=piped)
    run(common, lambda host: usecase.backup(host, asked[0]), check=check)


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What 'stackctl backup' wrote.")],
    force: Annotated[
        bool, typer.Option("--force", help="Stop the stack that is there, and put its files aside.")
    ] = False,
    no_up: Annotated[bool, typer.Option("--no-up", help="Put the files in place, and start nothing.")] = False,
    no_issue: NoIssue = False,
    passphrase_file: PassphraseFile = None,
    identity: Annotated[
        Path | None, typer.Option(metavar="FILE", help="File with the age secret key of a recipient.")
    ] = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Verify the archive to its end, and change nothing.")
    ] = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Start a backup's stack here, with the certificates it had."""
    from stackctl.cli.run import Common, host_of, run
    from stackctl.engine.backup.sealing import Keys, read_passphrase
    from stackctl.usecases import restore as usecase

    options = usecase.RestoreOptions(force, start=not no_up, issue=not no_issue)
    opened: list[Archive] = []
    common = Common("restore", directory, output, verbose, None if dry_run else wait, makes_directory=True)

    def check() -> None:
        known = read_passphrase(passphrase_file) if passphrase_file else None
        ask = _ask_passphrase if has_terminal() and output is OutputFormat.TEXT else None
        opened.append(usecase.open_archive(file, Keys(known, identity, ask)))
        if not dry_run:
            usecase.refuse_occupied(directory.absolute(), opened[0], options)

    def action(context: Context) -> Result:
        return usecase.restore(context, opened[0], options, lambda: host_of(common, context.report), dry_run=dry_run)

    run(common, action, check=check)


def _seal(asked: bool, file: Path | None, recipients: tuple[str, ...]) -> Seal | None:
    from stackctl.engine.backup.sealing import Seal, read_passphrase

    if recipients and (asked or file):
        raise InputError(
            "an archive is encrypted either with a passphrase or for recipients",
            where="--recipient",
            hint="the age format does not have both",
        )
    if asked and file is None and not has_terminal():
        raise InputError("there is nobody to ask for a passphrase", where="--passphrase", hint="use --passphrase-file")
    if recipients:
        return Seal(recipients=recipients)
    if file:
        return Seal(read_passphrase(file))
    if asked:
        Seal("").check()  # nobody is asked for what cannot be used
        return Seal(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))
    return None


def _ask_passphrase() -> str:
    answer: str = typer.prompt("Passphrase of the archive", hide_input=True, err=True)
    return answer


def has_terminal() -> bool:
    """Whether there is somebody who can be asked."""
    return sys.stdin.isatty()
