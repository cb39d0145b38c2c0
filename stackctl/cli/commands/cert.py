"""``cert``: a group of commands; ``import`` and ``export`` have a module each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import certificates, lineages
from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    Output,
    OutputFormat,
    Verbose,
    Wait,
    Yes,
)
from stackctl.errors import InputError
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result


Certificate = Annotated[
    str,
    typer.Argument(
        metavar="NAME", autocompletion=certificates, help="Name of a certificate, or a domain that is served with it."
    ),
]


def retire(
    lineage: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=lineages, help="Name of the certificate in certbot's tree.")
    ],
    yes: Yes = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Delete a certificate that no site uses, with its key, so that it is not renewed any more."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import cert as usecase

    def action(context: Context) -> Result[None]:
        name = values.lineage(lineage)
        if not yes and not dry_run:
            _confirm(usecase.retire(context, name, dry_run=True))
        return usecase.retire(context, name, dry_run=dry_run)

    run(Common("cert retire", directory, output, verbose, None if dry_run else wait), action)


def list_(
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Show the files of each certificate too.")] = False,
) -> None:
    """List every certificate: names, issuer, source, days left, whether the proxy serves it, and who uses it."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.cert import list_view
    from stackctl.usecases.cert_looks import list_certificates

    run(Common("cert list", directory, output, verbose=False), list_certificates, list_view(paths=verbose))


def show(
    name: Certificate,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Show one certificate: serial, key, chain, who accepts it, and where it is served."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.cert import show_one
    from stackctl.usecases.cert_looks import show_certificate

    run(Common("cert show", directory, output, verbose), lambda context: show_certificate(context, name), show_one)


def remove(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", autocompletion=certificates, help="A domain of its site, or its name."),
    ],
    at_once: Annotated[
        bool, typer.Option("--now", help="Delete it before its sites have another one: a key that others have.")
    ] = False,
    yes: Yes = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Delete an imported certificate with its key; its sites are served with it until they have another one."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases.cert_remove import remove_imported

    def action(context: Context) -> Result[None]:
        if not yes and not dry_run:
            _confirm(remove_imported(context, name, at_once=at_once, dry_run=True))
        return remove_imported(context, name, at_once=at_once, dry_run=dry_run)

    run(Common("cert remove", directory, output, verbose, None if dry_run else wait), action)


def _confirm(shown: Result[None]) -> None:
    from stackctl.cli.console import make_console, plain

    if not sys.stdin.isatty():
        raise InputError("deleting a certificate requires confirmation, but there is no terminal: pass --yes")
    plain(make_console(stderr=True), str(shown.plan))
    if not typer.confirm("Delete it with its key? This cannot be undone.", default=False):
        raise InputError("not confirmed: nothing was changed")
