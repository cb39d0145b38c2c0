"""The ``stackctl`` command: a module in ``commands`` for each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import typer

from stackctl import __version__
from stackctl.cli.help import Commands, Listed, Servers, listing

_COMMANDS = {
    "Running": {
        "init": ("init.init", "Create a stack in this directory, and start its proxy."),
        "adopt": ("adopt.adopt", "Adopt a running stack that another tool made."),
        "up": ("up.up", "Apply the Compose file, after an edit or a crash."),
        "deploy": ("deploy.deploy", "Deploy a new version of a service, and lose no request."),
        "promote": ("canary.promote", "Deploy the image of a canary to its service; the canary ends."),
        "abort": ("canary.abort", "End a canary: all clients get the service as it is."),
        "down": ("down.down", "Stop the stack; keep certificates, volumes and files."),
        "backup": ("backup.backup", "Write one archive of everything that cannot be recreated."),
        "restore": ("restore.restore", "Restore a stack and its certificates from a backup."),
    },
    "Sites": {
        "add-app": ("add_app.add_app", "Add a site, or an app for a path of one, and verify it."),
        "add-redirect": ("add_redirect.add_redirect", "Redirect a domain, with a certificate of its own, in one hop."),
        "remove-app": ("remove_app.remove_app", "Remove a site, or one path of it: its route, then its service."),
        "add-stream": ("add_stream.add_stream", "Pass a port on without HTTP, or the TLS connections for a name."),
        "remove-stream": ("add_stream.remove_stream", "Remove a stream and its published port."),
        "set": ("set_keys.set_keys", "Set keys of a site in the Compose file, and apply them."),
        "unset": ("set_keys.unset_keys", "Remove keys of a site: their defaults apply again."),
        "edit": ("edit.edit", "Edit the Compose file, review the plan and confirm it."),
        "maintenance on": ("maintenance.on", "Answer every request of a site with 503."),
        "maintenance off": ("maintenance.off", "Serve a site again."),
        "maintenance host": (
            "maintenance.host",
            "Let the load balancer take this host out: its health path answers 503, and the sites go on.",
        ),
    },
    "Access": {
        "user add": (
            "user.add",
            "Set the password of a user of a site: from the terminal, or the first line of standard input.",
        ),
        "user remove": ("user.remove", "Remove a user of a site; connections that are open stay."),
        "user list": ("user.list_", "List the users of a site, with the file that they are in."),
    },
    "Certificates": {
        "renew": ("renew.renew", "Renew the certificates that are due."),
        "trust": ("trust.trust", "Let this host and its browsers trust the stack's local CA."),
        "untrust": ("trust.untrust", "Undo 'trust'."),
        "dns add": (
            "dns.add",
            "Add a zone, and store the credentials of its provider: from the terminal, or from standard input.",
        ),
        "dns test": (
            "dns.check",
            "Write a test record with the stored credentials, see it at all name servers, and delete it.",
        ),
        "dns list": ("dns.list_zones", "Show the zones, with the sites whose names are proved by each."),
        "dns remove": ("dns.remove", "Remove a zone that proves no site, and its credentials."),
        "cert list": (
            "cert.list_",
            "List every certificate: names, issuer, source, days left, whether the proxy serves it, and who uses it.",
        ),
        "cert show": ("cert.show", "Show one certificate: serial, key, chain, who accepts it, and where it is served."),
        "cert import": (
            "cert_import.import_",
            "Serve a site with a certificate of your own; the same command with newer files replaces it.",
        ),
        "cert export": (
            "cert_export.export",
            "Write a certificate with its key for other software, such as a mail server; only its owner can read it.",
        ),
        "cert remove": (
            "cert.remove",
            "Delete an imported certificate with its key; its sites are served with it until they have another one.",
        ),
        "cert retire": (
            "cert.retire",
            "Delete a certificate that no site uses, with its key, so that it is not renewed any more.",
        ),
    },
    "Changes": {
        "plan": ("plan.plan", "Show what 'up' would do and why, with a diff of each file."),
        "history": ("history.history", "List the recorded states of the stack, and what changed."),
        "rollback": ("rollback.rollback", "Roll back to an earlier state, by the same steps as any change."),
    },
    "Looking": {
        "status": ("status.status", "Show each site: upstream, certificate, what is served."),
        "alerts test": ("alerts.try_receivers", "Send each receiver of alerts a message, and show who took it."),
        "alerts send": ("alerts.send", "Send what is new to the receivers that only Apprise reaches, for cron."),
        "metrics": ("metrics.metrics", "Print metrics for Prometheus."),
        "ui": ("ui.ui", "Show the stack in the browser, and change it from there."),
        "logs": ("logs.logs", "Show the logs of the proxy, the apps and certbot."),
        "doctor": ("doctor.doctor", "Find out why a site or a certificate fails."),
        "explain": ("explain.explain", "Trace one request to its app; name the hop that fails."),
        "config": ("config.config", "Print the proxy configuration of one site."),
        "schema": ("schema.schema", "Print the JSON Schema of x-stackctl for editors."),
        "servers show": ("servers.show", "Show the servers of a site: state, weight, last error."),
        "servers drain": (
            "servers.drain",
            "Give a server no new clients; with 'sticky', those that have its cookie stay.",
        ),
        "servers enable": ("servers.enable", "Let a drained server have clients again."),
        "servers weight": ("servers.weight", "Change a server's share of the requests."),
    },
}
"""The commands by panel of ``--help``: each with its function in ``commands``, and the first sentence of its help."""

_GROUPS = {
    "maintenance": "Answer a site's requests with 503 for a while.",
    "servers": "Show the servers of a site, and drain one of them.",
    "user": "Let people in by a name and a password.",
    "dns": "Prove names by DNS-01, as wildcards need.",
    "alerts": "Try who is informed of problems.",
    "cert": "Look at certificates; import, export and delete them.",
}
"""The help of each group: the commands that begin with the same word."""


def _listed(group: str) -> Iterator[Listed]:
    """Return the commands of a group; those of no group for an empty name."""
    for panel, commands in _COMMANDS.items():
        for name, (function, words) in commands.items():
            first, _, last = name.rpartition(" ")
            if first == group:
                yield Listed(last, panel, words, partial(_load, function))


def _load(path: str) -> Callable[..., None]:
    module, _, name = path.rpartition(".")
    function: Callable[..., None] = getattr(import_module(f"stackctl.cli.commands.{module}"), name)
    return function


app = typer.Typer(
    name="stackctl",
    cls=listing(Commands, _listed(""), _COMMANDS),
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
        # Those of a group are below its name.
        groups: dict[str, Any] = {word: {str(one.name): chosen for one in _listed(word)} for word in _GROUPS}
        ctx.default_map = {str(one.name): chosen for one in _listed("")} | groups


for _word, _words in _GROUPS.items():
    _verbs = tuple(_listed(_word))
    app.add_typer(
        typer.Typer(
            cls=listing(Servers if _word == "servers" else Commands, _verbs, _COMMANDS),
            help=_words,
            no_args_is_help=True,
            rich_markup_mode=None,
        ),
        name=_word,
        rich_help_panel=_verbs[0].rich_help_panel,
    )
