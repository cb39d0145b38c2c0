"""``cert export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import certificates
from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    Output,
    OutputFormat,
    PassphraseInput,
    ReplaceFile,
    Verbose,
    Wait,
)
from stackctl.cli.passphrase import Asking

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.cert_export import ExportReport
    from stackctl.usecases.result import Result


def export(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", autocompletion=certificates, help="Name of a certificate, or a domain served with it."
        ),
    ],
    pem: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write its key and its chain to one PEM file.")
    ] = None,
    pkcs12: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write an encrypted PKCS#12 file; prompts for its passphrase.")
    ] = None,
    keep_fresh: Annotated[
        bool, typer.Option("--keep-fresh", help="Keep its files in a folder of the stack, also after each renewal.")
    ] = False,
    passphrase_file: PassphraseInput = None,
    force: ReplaceFile = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Write a certificate with its key for other software, such as a mail server; only its owner can read it."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.cert import show_export
    from stackctl.usecases.cert_export import ExportOptions, export_certificate

    options = ExportOptions(name, pem, pkcs12, Asking(passphrase_file, confirm=True), keep_fresh, force)

    def action(context: Context) -> Result[ExportReport]:
        return export_certificate(context, options)

    run(Common("cert export", directory, output, verbose, wait), action, show_export, options.check)
