"""``dns``: a group of commands."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import zones
from stackctl.cli.options import HERE, WAIT_SECONDS, Directory, DryRun, Output, OutputFormat, Verbose, Wait
from stackctl.errors import InputError
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.model.dns_providers import Key
    from stackctl.usecases.result import Result

Zone = Annotated[str, typer.Argument(metavar="ZONE", autocompletion=zones, help="A zone, such as example.com.")]


def add(
    zone: Zone,
    provider: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="DNS provider, such as cloudflare, route53 or rfc2136; multi:NAME, or hook."),
    ] = None,
    alias: Annotated[
        str | None, typer.Option(metavar="RECORD", help="Record that _acme-challenge of the names is an alias of.")
    ] = None,
    propagation: Annotated[
        str | None, typer.Option(metavar="TIME", help="How long all name servers may take, such as 5m.")
    ] = None,
    auth: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="With hook: the command that writes a record.")
    ] = None,
    cleanup: Annotated[
        str | None, typer.Option(metavar="COMMAND", help="With hook: the command that deletes it.")
    ] = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Add a zone, and store the credentials of its provider: from the terminal, or from standard input."""
    from stackctl.cli.run import Common, run
    from stackctl.model import dns_zones
    from stackctl.usecases import dns as usecase

    def action(context: Context) -> Result[None]:
        name = values.domain(zone)
        known = provider or usecase.provider_of_zone(context, name)
        if known is None:
            raise InputError("no provider is given", where="--provider", hint="see 'stackctl dns add --help'")
        wanted = usecase.AddZone(name, dns_zones.provider(known), alias, propagation, auth, cleanup)
        credentials = None if dry_run else _credentials(wanted.provider)
        return usecase.add_zone(context, wanted, credentials, dry_run=dry_run)

    run(Common("dns add", directory, output, verbose, None if dry_run else wait), action)


def _credentials(provider: str) -> bytes | None:
    """Return the file with the credentials: never from an argument, which other users of the host see."""
    from stackctl.certs import credentials
    from stackctl.cli.terminal import has_terminal
    from stackctl.model.dns_providers import HOOK

    if provider == HOOK:
        return None
    asked = credentials.questions(provider)
    if not asked:
        if has_terminal():
            hint = f"run 'stackctl dns add ZONE --provider {provider} < FILE'"
            raise InputError(f"the credentials of {provider} are a file", hint=hint)
        return credentials.from_text(provider, sys.stdin.read(1 << 20))
    if has_terminal():
        answers = {key.name: _asked(key) for key in asked}
    else:
        lines = sys.stdin.read(1 << 20).splitlines()
        if len(lines) > len(asked):
            questions = ", ".join(key.question for key in asked)
            raise InputError(f"standard input has {len(lines)} lines", hint=f"write one for each: {questions}")
        answers = {key.name: line for key, line in zip(asked, lines, strict=False)}
    return credentials.from_answers(provider, answers)


def _asked(key: Key) -> str:
    return str(typer.prompt(key.question, default=key.default, hide_input=key.secret, err=True))


def check(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[ZONE]...", autocompletion=zones, help="Zones, or names in them; all without one."),
    ] = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Write a test record with the stored credentials, see it at all name servers, and delete it."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.dns import show_findings
    from stackctl.usecases import dns as usecase

    def action(context: Context) -> Result[usecase.FindingsReport]:
        return usecase.check_zones(context, [values.site_domain(name) for name in names or ()])

    run(Common("dns test", directory, output, verbose), action, show_findings)


def list_zones(directory: Directory = HERE, output: Output = OutputFormat.TEXT, verbose: Verbose = False) -> None:
    """Show the zones, with the sites whose names are proved by each."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.dns import show_zones
    from stackctl.usecases import dns as usecase

    run(Common("dns list", directory, output, verbose), usecase.list_zones, show_zones)


def remove(
    zone: Zone,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Remove a zone that proves no site, and its credentials."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import dns as usecase

    def action(context: Context) -> Result[None]:
        return usecase.remove_zone(context, values.domain(zone), dry_run=dry_run)

    run(Common("dns remove", directory, output, verbose, None if dry_run else wait), action)
