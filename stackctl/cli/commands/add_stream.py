"""``add-stream`` and ``remove-stream``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import streams
from stackctl.cli.options import (
    HERE,
    WAIT_SECONDS,
    Directory,
    DryRun,
    Output,
    OutputFormat,
    Verbose,
    Wait,
    parsed,
)
from stackctl.errors import InputError

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result


def add_stream(
    listen: Annotated[
        str, typer.Argument(metavar="LISTEN", help="[ADDRESS:]PORT[/udp] of this host; left out with --sni.")
    ],
    upstream: Annotated[
        str | None, typer.Argument(metavar="UPSTREAM", help="HOST:PORT: a service, or something outside Compose.")
    ] = None,
    sni: Annotated[
        str | None,
        typer.Option(metavar="DOMAIN", help="Pass on the TLS connections for this name; the app has its certificate."),
    ] = None,
    allow: Annotated[
        list[str] | None,
        typer.Option(metavar="NETWORK", help="Let only this client or network through; repeatable."),
    ] = None,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Pass a port on without HTTP, or the TLS connections for a name."""
    from stackctl.cli.run import Common, run
    from stackctl.model import match_values, values
    from stackctl.model.streams import stream_port
    from stackctl.stackfile.streams import stream_upstream
    from stackctl.usecases import edit_streams as usecase

    def action(context: Context) -> Result[None]:
        if (sni is None) == (upstream is None):
            raise InputError(
                "a stream has a port, or a name",
                where="LISTEN",
                hint="write 'add-stream 5432 db:5432' or 'add-stream --sni mail.example.com mail:443'",
            )
        from_port = parsed("LISTEN", stream_port, listen) if sni is None else None
        target = parsed("UPSTREAM", stream_upstream, listen if sni is not None else upstream)
        name = parsed("--sni", values.domain, sni)
        assert target is not None
        wanted = usecase.AddStream(
            from_port or values.domain(name or ""),
            target,
            tuple(one for text in allow or () if (one := parsed("--allow", match_values.network, text))),
        )
        return usecase.add_stream(context, wanted, dry_run=dry_run)

    run(Common("add-stream", directory, output, verbose, None if dry_run else wait), action)


def remove_stream(
    stream: Annotated[
        str, typer.Argument(metavar="STREAM", autocompletion=streams, help="Its PORT, PORT/udp, or its name.")
    ],
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Remove a stream and its published port."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import edit_streams as usecase

    def action(context: Context) -> Result[None]:
        return usecase.remove_stream(context, stream, dry_run=dry_run)

    run(Common("remove-stream", directory, output, verbose, None if dry_run else wait), action)
