"""The ``stackctl`` command: each noun's commands are a file beside this one."""

from __future__ import annotations

from typing import Annotated

import typer

from stackctl import __version__
from stackctl.cli import adopt, apps, backup, certificates, diagnose, editing, explain, look, past, stack

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
        typer.echo(f"stackctl {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Options of the program itself."""


app.command("init")(stack.init)
app.command("adopt")(adopt.adopt)
app.command("add-app")(apps.add_app)
app.command("remove-app")(apps.remove_app)
app.command("edit")(editing.edit)
app.command("plan")(stack.plan)
app.command("up")(stack.up)
app.command("down")(stack.down)
app.command("renew")(certificates.renew)
app.command("status")(look.status)
app.command("logs")(look.logs)
app.command("doctor")(diagnose.doctor)
app.command("explain")(explain.explain)
app.command("config")(editing.config)
app.command("history")(past.history)
app.command("rollback")(past.rollback)
app.command("backup")(backup.backup)
app.command("restore")(backup.restore)
app.command("schema")(editing.schema)
