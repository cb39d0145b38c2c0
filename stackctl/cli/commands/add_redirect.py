"""``add-redirect``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import domains
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
    Verbose,
    Wait,
    parsed,
    whole_number,
)
from stackctl.errors import InputError
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result


def add_redirect(
    old: Annotated[str, typer.Argument(metavar="OLD", help="Domain that is redirected.")],
    new: Annotated[
        str, typer.Argument(metavar="NEW", autocompletion=domains, help="URL to redirect to, or a domain for https://.")
    ],
    alias: Annotated[
        list[str] | None, typer.Option(metavar="DOMAIN", help="Another domain that is redirected; repeatable.")
    ] = None,
    code: Annotated[
        int, typer.Option(metavar="301|302|303|307|308", parser=whole_number, help="Status. [default: 308]")
    ] = 308,
    no_path: Annotated[
        bool, typer.Option("--no-path", help="Redirect to the URL itself, without path and query of the request.")
    ] = False,
    no_issue: NoIssue = False,
    force: Force = False,
    ignore_ledger: IgnoreLedger = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Redirect a domain, with a certificate of its own, in one hop."""
    from stackctl.cli.run import Common, run
    from stackctl.model import action_values
    from stackctl.model.routing import Redirect
    from stackctl.usecases import add_redirect as usecase

    def action(context: Context) -> Result[None]:
        if code not in action_values.REDIRECTS:
            raise InputError(f"{code} is not the status of a redirect", where="--code", hint="use 308 or 301")
        url = new if "://" in new else f"https://{new}"
        parse = action_values.redirect_target if no_path else action_values.followed_target
        wanted = usecase.AddRedirect(
            domain=values.site_domain(old),
            action=Redirect(parsed("NEW", parse, url) or "", code, not no_path),
            aliases=tuple(name for text in alias or () if (name := parsed("--alias", values.site_domain, text))),
            issue=not no_issue,
            check=not force,
            ledger=not ignore_ledger,
        )
        return usecase.add_redirect(context, wanted, dry_run=dry_run)

    run(Common("add-redirect", directory, output, verbose, None if dry_run else wait), action)
