"""``add-app``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.completion import domains, services
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
from stackctl.model import endpoints, values
from stackctl.model.match_values import site_and_path
from stackctl.model.matching import EVERY_PATH

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.usecases.result import Result


Name = Annotated[
    str,
    typer.Argument(
        metavar="DOMAIN[/PATH]", autocompletion=domains, help="Main domain of the site, and the path of the app."
    ),
]
Aliases = Annotated[
    list[str] | None, typer.Option(metavar="DOMAIN", help="Additional domain on the same certificate; repeatable.")
]

Image = Annotated[str | None, typer.Option(help="Image of a new service. [default: NAME:latest]", metavar="IMAGE")]


def add_app(
    domain: Name,
    alias: Aliases = None,
    service: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            autocompletion=services,
            help="Existing Compose service, or name of the new one. [default: first label, or last part of PATH]",
        ),
    ] = None,
    image: Image = None,
    port: Annotated[
        int | None,
        typer.Option(
            metavar="NUMBER",
            parser=whole_number,
            help="Port that the app listens on. [default: the only one of the service or its image, or 8000]",
        ),
    ] = None,
    upstream: Annotated[
        str | None, typer.Option(metavar="[https://]HOST:PORT", help="Server outside Compose, instead of a service.")
    ] = None,
    strip: Annotated[bool, typer.Option("--strip", help="Pass requests on without PATH.")] = False,
    env_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Environment file of a new service.")] = None,
    no_issue: NoIssue = False,
    force: Force = False,
    ignore_ledger: IgnoreLedger = False,
    directory: Directory = HERE,
    output: Output = OutputFormat.TEXT,
    dry_run: DryRun = False,
    verbose: Verbose = False,
    wait: Wait = WAIT_SECONDS,
) -> None:
    """Add a site, or an app for a path of one, and verify it."""
    from stackctl.cli.run import Common, run
    from stackctl.usecases import add_app as usecase

    def action(context: Context) -> Result[None]:
        if port is not None:
            parsed("--port", lambda text: values.port(int(text)), str(port))
        name, path = site_and_path(domain)
        wanted = usecase.AddApp(
            domain=name,
            path=path or EVERY_PATH,
            strip=strip,
            aliases=tuple(_present(parsed("--alias", values.domain, text)) for text in alias or ()),
            service=parsed("--service", values.service_name, service),
            image=parsed("--image", values.image, image),
            port=port,
            upstream=parsed("--upstream", endpoints.upstream, upstream),
            env_file=env_file and env_file.absolute(),
            issue=not no_issue,
            check=not force,
            ledger=not ignore_ledger,
        )
        return usecase.add_app(context, wanted, dry_run=dry_run)

    run(Common("add-app", directory, output, verbose, None if dry_run else wait), action)


def _present(value: values.Domain | None) -> values.Domain:
    assert value is not None  # only None parses to None
    return value
