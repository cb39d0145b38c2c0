"""``add-app``."""

from __future__ import annotations

import re
from collections.abc import Callable
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
from stackctl.errors import InputError
from stackctl.model import endpoints, service_values, values

if TYPE_CHECKING:
    from stackctl.engine.context import Context
    from stackctl.model.matching import PathMatch
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

Outside = Annotated[
    str | None, typer.Option(metavar="[https://]HOST:PORT", help="Server outside Compose, instead of a service.")
]
EnvFile = Annotated[Path | None, typer.Option(metavar="FILE", help="Environment file of a new service.")]
Variables = Annotated[
    list[str] | None, typer.Option(metavar="KEY=VALUE", help="Variable of a new service; repeatable.")
]
Mounts = Annotated[
    list[str] | None,
    typer.Option(metavar="SOURCE:TARGET[:ro]", help="Volume or path that a new service mounts; repeatable."),
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
    upstream: Outside = None,
    strip: Annotated[bool, typer.Option("--strip", help="Pass requests on without PATH.")] = False,
    env_file: EnvFile = None,
    env: Variables = None,
    volume: Mounts = None,
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
        parsed("--port", lambda text: values.port(int(text)), None if port is None else str(port))
        name, path = _site_and_path(domain)
        wanted = usecase.AddApp(
            domain=name,
            path=path,
            strip=strip,
            aliases=tuple(_present(parsed("--alias", values.site_domain, text)) for text in alias or ()),
            service=parsed("--service", values.service_name, service),
            image=parsed("--image", values.image, image),
            port=port,
            upstream=parsed("--upstream", endpoints.upstream, upstream),
            env_file=env_file and env_file.absolute(),
            env=_each("--env", service_values.variable, env),
            volume=_each("--volume", service_values.mount, volume),
            issue=not no_issue,
            check=not force,
            ledger=not ignore_ledger,
        )
        return usecase.add_app(context, wanted, dry_run=dry_run)

    run(Common("add-app", directory, output, verbose, None if dry_run else wait), action)


def _site_and_path(text: str) -> tuple[values.Domain, PathMatch]:
    from stackctl.model.match_values import site_and_path
    from stackctl.model.matching import EVERY_PATH

    name, path = site_and_path(text)
    return name, path or EVERY_PATH


def _each(option: str, parse: Callable[[str], object], texts: list[str] | None) -> tuple[str, ...]:
    """Return the values of a repeatable option, each of which ``parse`` accepts, and none for the same twice."""
    for text in texts or ():
        parsed(option, parse, text)
    first = [re.split("[=:]", text)[0] if option == "--env" else text for text in texts or ()]
    double = next((one for one in first if first.count(one) > 1), None)
    if double is not None:
        raise InputError(f"{double} is given twice", where=option)
    return tuple(texts or ())


def _present(value: values.Domain | None) -> values.Domain:
    assert value is not None  # only None parses to None
    return value
