"""``explain``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import places
from stackctl.cli.options import HERE, Directory, Output, OutputFormat, Verbose
from stackctl.model import values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.model.fields import Request
    from stackctl.usecases.explain import ExplainReport
    from stackctl.usecases.result import Result


def explain(
    address: Annotated[
        str,
        typer.Argument(
            metavar="DOMAIN[/PATH]", autocompletion=places, help="Domain and path, or the full https:// URL."
        ),
    ],
    method: Annotated[
        str,
        typer.Option(
            "--request",
            "-X",
            metavar="METHOD",
            help="Method. Only GET, HEAD and OPTIONS are sent. [default: GET]",
            show_default=False,
        ),
    ] = "GET",
    headers: Annotated[
        list[str], typer.Option("--header", "-H", metavar="HEADER", help="Header, as 'Name: value'; may be repeated.")
    ] = [],  # noqa: B006  (Typer copies it)
    source: Annotated[
        str | None,
        typer.Option("--from", metavar="ADDRESS", help="Address of the client, for 'source', 'allow' and 'block'."),
    ] = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    verbose: Verbose = False,
) -> None:
    """Trace one request to its app; name the hop that fails."""
    from stackctl.cli.run import Common, run
    from stackctl.cli.views.explain import show
    from stackctl.model import match_values, request_values
    from stackctl.model.fields import Request
    from stackctl.usecases import explain as usecase

    def parsed() -> tuple[values.Domain, Request]:
        name, target = values.web_address(address)
        client = None if source is None else request_values.client(source)
        sent = Request(match_values.method(method), target, tuple(map(request_values.header, headers)), client)
        return name, sent

    def action(context: Context) -> Result[ExplainReport]:
        return usecase.explain(context, *parsed())

    run(Common("explain", directory, output, verbose), action, show, parsed)
