"""``ui``."""

from __future__ import annotations

import getpass
import os
import platform
import sys
import webbrowser
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Annotated

import typer

from stackctl.cli.options import HERE, Directory, OutputFormat, Verbose, checked
from stackctl.errors import HostError, InputError

if TYPE_CHECKING:
    from stackctl.engine.context import Context, Report
    from stackctl.ui.serve import Listener


def ui(
    listen: Annotated[
        str | None,
        typer.Option(
            metavar="ADDRESS:PORT",
            help="Loopback address and port; port 0 is any free one. [default: localhost:0]",
            show_default=False,
        ),
    ] = None,
    socket: Annotated[
        bool, typer.Option("--socket", help="Listen on a Unix socket that only you can open, instead of on a port.")
    ] = False,
    open_: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser here, also if this is no desktop.")
    ] = False,
    no_open: Annotated[bool, typer.Option("--no-open", help="Do not open the page in the browser.")] = False,
    write: Annotated[bool, typer.Option("--write", help="Allow changes from the page; else it only shows.")] = False,
    metrics: Annotated[
        bool, typer.Option("--metrics", help="Let Prometheus on this host read /metrics without the link.")
    ] = False,
    directory: Directory = HERE,
    verbose: Verbose = False,
) -> None:
    """Show the stack in the browser, and change it from there.

    Changes need --write. It listens on this host only, and its link works once. It ends with Ctrl-C, or after 30
    minutes without a request.
    """
    from stackctl.cli.run import Common, run
    from stackctl.usecases.converge import open_document
    from stackctl.usecases.result import Result

    def action(context: Context) -> Result[None]:
        if socket and listen is not None:
            raise InputError("a socket has no address", where="--socket", hint="use '--listen' or '--socket'")
        if open_ and no_open:
            raise InputError("'--open' and '--no-open' contradict each other", where="--open")
        at = None if socket else checked("--listen", _address, listen or "localhost:0")
        try:
            from stackctl.ui import serve
        except ImportError as error:
            raise HostError(
                f"the page needs the Python package {error.name}",
                hint="install stackctl with its extra 'ui': pipx install --force '.[ui]'",
            ) from error
        from stackctl.ui.links import is_desktop

        open_document(context)
        here = not no_open and (open_ or is_desktop(os.environ, sys.platform))
        try:
            with serve.listening_on_socket() if at is None else serve.listening(*at) as listener:
                _serve(context.directory.root, listener, here=here, write=write, metrics=metrics)
        except HostError as error:
            raise error.at("--socket" if at is None else "--listen") from error
        return Result("ui", None, acted=True)

    run(Common("ui", directory, OutputFormat.TEXT, verbose), action, view=lambda _console, _result: None)


def _address(text: str) -> tuple[str, int]:
    """Return the address and the port of ``--listen``.

    Raises:
        InputError: it is not an address of this host alone.
    """
    from stackctl.ui.links import LOOPBACK

    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise InputError(f"{text!r} is not an address with a port", hint="write 127.0.0.1:8976")
    if host not in LOOPBACK:
        hint = "use 127.0.0.1, and from another computer 'ssh -L'; the page has no passwords"
        raise InputError(f"{host!r} is not the loopback address", hint=hint)
    return ("127.0.0.1" if host == "localhost" else host), int(port)


def _serve(directory: Path, listener: Listener, *, here: bool, write: bool, metrics: bool) -> None:
    """Serve the page, print how to open it, and wait for the changes that go on at its end."""
    from stackctl.adapters.docker.children import kill_all
    from stackctl.cli import interruption
    from stackctl.cli.console import make_console, plain
    from stackctl.ui import links
    from stackctl.ui.app import new_ui
    from stackctl.ui.serve import serve
    from stackctl.usecases import session

    console, place = make_console(), listener.place

    def opened(report: Report, command: str) -> Context:
        return session.open_stack(directory, report=report, environ=os.environ, command=command, clock=session.now)

    page = new_ui(opened, write=write)
    page.open_metrics = metrics
    link = place.link(page.door.link)

    def ready() -> None:
        page.status.start()
        plain(console, f"{link}")
        plain(console, "· the link works once; Ctrl-C ends the page, and so do 30 minutes without a request")
        if metrics:
            plain(console, f"· metrics for Prometheus: {place.origin}/metrics")
        if not write:
            plain(console, "· the page only shows: 'stackctl ui --write' allows changes")
        if place.socket is not None or not links.is_desktop(os.environ, sys.platform):
            line = links.tunnel(place, os.environ, getpass.getuser(), platform.node())
            plain(console, f"· on your own computer, before the link: {line}")
        if here and place.socket is None:
            Thread(target=webbrowser.open, args=(link,), daemon=True).start()

    was_idle = serve(page, listener, ready=ready, leave=interruption.leave)
    plain(console, "· the page has ended" + (": it was not used for 30 minutes" if was_idle else ""))
    if page.desk.running:
        plain(console, f"· waiting for '{page.desk.running[0].change.command}'; Ctrl-C ends it too")
        try:
            page.desk.join()
        except KeyboardInterrupt:
            interruption.leave()
    kill_all()  # what follows the log would never end by itself
