"""The ``stackctl`` command: a module in ``commands`` for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from stackctl import __version__
from stackctl.cli.commands import (
    add_app,
    add_redirect,
    add_stream,
    adopt,
    backup,
    canary,
    cert,
    cert_export,
    cert_import,
    config,
    deploy,
    dns,
    doctor,
    down,
    edit,
    explain,
    history,
    init,
    logs,
    maintenance,
    plan,
    remove_app,
    renew,
    restore,
    rollback,
    schema,
    servers,
    set_keys,
    status,
    trust,
    up,
)
from stackctl.cli.help import Command, Commands, Servers

app = typer.Typer(
    name="stackctl",
    cls=Commands,
    help="Any number of web apps on one Docker host behind one TLS proxy; certificates renew themselves.",
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
    ctx: typer.Context,
    directory: Annotated[
        Path | None,
        typer.Option(
            "--directory",
            "-C",
            metavar="DIR",
            help="Directory of the stack; the option of a command overrides it. [default: current directory]",
            show_default=False,
        ),
    ] = None,
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Apply the options of the program."""
    if directory is not None:
        chosen = {"directory": str(directory)}
        ctx.default_map = {name: chosen for names in _COMMANDS.values() for name in names} | {
            group: dict.fromkeys(names, chosen) for group, (_, _, names) in _GROUPS.items()
        }


_COMMANDS: dict[str, dict[str, Callable[..., None]]] = {
    "Running": {
        "init": init.init,
        "adopt": adopt.adopt,
        "up": up.up,
        "deploy": deploy.deploy,
        "promote": canary.promote,
        "abort": canary.abort,
        "down": down.down,
        "backup": backup.backup,
        "restore": restore.restore,
    },
    "Sites": {
        "add-app": add_app.add_app,
        "add-redirect": add_redirect.add_redirect,
        "remove-app": remove_app.remove_app,
        "add-stream": add_stream.add_stream,
        "remove-stream": add_stream.remove_stream,
        "set": set_keys.set_keys,
        "unset": set_keys.unset_keys,
        "edit": edit.edit,
    },
    "Certificates": {
        "renew": renew.renew,
        "trust": trust.trust,
        "untrust": trust.untrust,
    },
    "Changes": {
        "plan": plan.plan,
        "history": history.history,
        "rollback": rollback.rollback,
    },
    "Looking": {
        "status": status.status,
        "logs": logs.logs,
        "doctor": doctor.doctor,
        "explain": explain.explain,
        "config": config.config,
        "schema": schema.schema,
    },
}
"""The commands, by group of ``--help``."""

_GROUPS: dict[str, tuple[str, str, dict[str, Callable[..., None]]]] = {
    "maintenance": (
        "Sites",
        "Answer a site's requests with 503 for a while.",
        {"on": maintenance.on, "off": maintenance.off},
    ),
    "servers": (
        "Looking",
        "Show the servers of a site, and drain one of them.",
        {"show": servers.show, "drain": servers.drain, "enable": servers.enable, "weight": servers.weight},
    ),
    "dns": (
        "Certificates",
        "Prove names by DNS-01, as wildcards need.",
        {"add": dns.add, "test": dns.check, "list": dns.list_zones, "remove": dns.remove},
    ),
    "cert": (
        "Certificates",
        "Look at certificates; import, export and delete them.",
        {
            "list": cert.list_,
            "show": cert.show,
            "import": cert_import.import_,
            "export": cert_export.export,
            "remove": cert.remove,
            "retire": cert.retire,
        },
    ),
}
"""The commands that consist of two words, by the first, each with its group and its help."""

for _word, (_panel, _help, _verbs) in _GROUPS.items():
    _kind = Servers if _word == "servers" else Commands
    _typer = typer.Typer(cls=_kind, help=_help, no_args_is_help=True, rich_markup_mode=None)
    for _name, _command in _verbs.items():
        _typer.command(_name, cls=Command, rich_help_panel=_panel)(_command)
    app.add_typer(_typer, name=_word, rich_help_panel=_panel)

for _group, _commands in _COMMANDS.items():
    for _name, _command in _commands.items():
        app.command(_name, cls=Command, rich_help_panel=_group)(_command)
