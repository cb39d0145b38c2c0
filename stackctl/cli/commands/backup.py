"""``backup``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli import terminal
from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    Output,
    OutputFormat,
    PassphraseFile,
    ReplaceFile,
    Verbose,
    Wait,
)
from stackctl.errors import InputError

if TYPE_CHECKING:
    from stackctl.engine.backup.sealing import Seal


def backup(
    file: Annotated[str, typer.Argument(metavar="FILE", help="Archive to write, or - for standard output.")],
    force: ReplaceFile = False,
    passphrase: Annotated[
        bool, typer.Option("--passphrase", help="Encrypt the archive with a passphrase; prompts for it.")
    ] = False,
    passphrase_file: PassphraseFile = None,
    recipient: Annotated[
        list[str] | None,
        typer.Option(metavar="AGE1…", help="Encrypt the archive for this age public key; repeatable."),
    ] = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Write one archive of everything that cannot be recreated."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.backup import show_backup
    from stackctl.usecases import backup as usecase

    piped = file == "-"
    asked: list[usecase.BackupOptions] = []

    def check() -> None:
        if piped and output is OutputFormat.JSON:
            raise InputError("the archive and JSON cannot both be written to standard output", where="--output")
        if piped and sys.stdout.isatty():
            raise InputError("refusing to write an archive to a terminal", hint="name a file, or pipe the output")
        seal = _seal(passphrase, passphrase_file, tuple(recipient or ()))
        target = sys.stdout.buffer if piped else Path(file).absolute()
        asked.append(usecase.BackupOptions(target, force, seal, wait))
        asked[0].check(directory.absolute())

    common = Common("backup", directory, output, verbose, wait, takes_stdout=piped)
    run(common, lambda context: usecase.backup(context, asked[0]), show_backup, check)


def _seal(asked: bool, file: Path | None, recipients: tuple[str, ...]) -> Seal | None:
    from stackctl.engine.backup.sealing import Seal, read_passphrase

    if recipients and (asked or file):
        raise InputError(
            "an archive cannot be encrypted both with a passphrase and for recipients",
            where="--recipient",
            hint="choose one: the age format does not support both",
        )
    if asked and file is None and not terminal.has_terminal():
        raise InputError("no terminal to prompt for the passphrase", where="--passphrase", hint="use --passphrase-file")
    if recipients:
        return Seal(recipients=recipients)
    if file:
        return Seal(read_passphrase(file))
    if asked:
        Seal("").check()  # before the prompt
        return Seal(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True))
    return None
