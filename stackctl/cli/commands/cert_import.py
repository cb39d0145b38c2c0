"""``cert import``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import domains
from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    Output,
    OutputFormat,
    PassphraseInput,
    Verbose,
    Wait,
)
from stackctl.cli.passphrase import Asking
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.certs.given.parts import Parts
    from stackctl.engine.context import Context
    from stackctl.usecases.cert_import import ImportReport
    from stackctl.usecases.result import Result


def import_(
    name: Annotated[
        str,
        typer.Argument(
            metavar="DOMAIN",
            autocompletion=domains,
            help="A domain of a site; or another name, such as '*.example.com', that several sites share.",
        ),
    ],
    cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="The certificate, as PEM or DER; its chain and key may follow.")
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its private key, encrypted or not.")] = None,
    chain: Annotated[Path | None, typer.Option(metavar="FILE", help="Its intermediates, in any order.")] = None,
    pkcs12: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A PKCS#12 file (.p12, .pfx) instead, which has all of them.")
    ] = None,
    passphrase_file: PassphraseInput = None,
    site: Annotated[
        list[str] | None,
        typer.Option(metavar="DOMAIN", autocompletion=domains, help="A site that is served with it; repeatable."),
    ] = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Serve a site with a certificate of your own; the same command with newer files replaces it.

    A certificate of AWS Certificate Manager cannot be imported: AWS gives out no private key. It belongs to the load
    balancer.
    """
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.cert import show_import
    from stackctl.usecases.cert_import import ImportOptions, import_certificate, read

    asking = Asking(passphrase_file)
    parts: list[Parts] = []

    def options() -> ImportOptions:
        return ImportOptions(name, cert, key, chain, pkcs12, tuple(values.domain(one) for one in site or ()))

    def check() -> None:
        parts.append(read(options(), asking))  # before the stack is locked: the user may be asked

    def action(context: Context) -> Result[ImportReport]:
        return import_certificate(context, options(), parts[0], dry_run=dry_run)

    run(Common("cert import", directory, output, verbose, None if dry_run else wait), action, show_import, check)
