"""The ``stackctl`` command: a module in ``commands`` for each."""

from __future__ import annotations

from typing import Annotated

import typer

from stackctl import __version__
from stackctl.cli.commands import (
    add_app,
    adopt,
    backup,
    config,
    doctor,
    down,
    edit,
    explain,
    history,
    init,
    logs,
    plan,
    remove_app,
    renew,
    restore,
    rollback,
    schema,
    status,
    up,
)

app = typer.Typer(
    name="stackctl",
    help="Any number of web apps on one Docker host behind one TLS proxy; certificates look after themselves.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(value: bool) -> None:
    if value:
        from stackctl.cli.console import make_console, plain

        plain(make_console(), f"stackctl {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of the program itself."""


app.command("init")(init.init)
app.command("adopt")(adopt.adopt)
app.command("add-app")(add_app.add_app)
app.command("remove-app")(remove_app.remove_app)
app.command("edit")(edit.edit)
app.command("plan")(plan.plan)
app.command("up")(up.up)
app.command("down")(down.down)
app.command("renew")(renew.renew)
app.command("status")(status.status)
app.command("logs")(logs.logs)
app.command("doctor")(doctor.doctor)
app.command("explain")(explain.explain)
app.command("config")(config.config)
app.command("history")(history.history)
app.command("rollback")(rollback.rollback)
app.command("backup")(backup.backup)
app.command("restore")(restore.restore)
app.command("schema")(schema.schema)
