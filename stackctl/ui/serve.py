"""Serves the page until it is ended, or was not used for half an hour."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from types import FrameType

import python_multipart  # noqa: F401  (Starlette imports it with the first form)
import uvicorn

from stackctl.errors import HostError
from stackctl.ui.app import application
from stackctl.ui.base import Ui
from stackctl.ui.links import Place

IDLE_SECONDS = 30 * 60
"""The page ends when it was not used for so long, and no change goes on."""

_CHECK_SECONDS = 5.0
_CLOSE_SECONDS = 1
"""How long a stream that is open delays the end."""

SOCKET = "ui.sock"


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens, and its place."""

    socket: socket.socket
    place: Place


@contextmanager
def listening(host: str, port: int) -> Iterator[Listener]:
    """Listen on an address of this host; port 0 is any that is free.

    Raises:
        HostError: the port is in use, or not allowed.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as error:
            hint = "use another port, or port 0 for any that is free"
            raise HostError(f"the page cannot listen on port {port}: {error.strerror}", hint=hint) from error
        sock.listen()
        yield Listener(sock, Place(host, sock.getsockname()[1]))


@contextmanager
def listening_on_socket() -> Iterator[Listener]:
    """Listen on a Unix socket in a directory that only this user can enter, and which is removed at the end.

    Raises:
        HostError: it cannot be created.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    try:
        folder = Path(
            tempfile.mkdtemp(prefix="stackctl-ui-", dir=runtime if runtime and Path(runtime).is_dir() else None)
        )
    except OSError as error:
        raise HostError(f"there is no place for a socket: {error.strerror}") from error
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.bind(str(folder / SOCKET))
            sock.listen()
            yield Listener(sock, Place(socket=str(folder / SOCKET)))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Server(uvicorn.Server):
    """Calls ``ready`` once it listens; ends at the first signal, and calls ``leave`` at the second."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None], leave: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._leave = leave

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    def handle_exit(self, _number: int, _frame: FrameType | None) -> None:
        if self.should_exit:
            self._leave()
        self.should_exit = True


def serve(
    ui: Ui, listener: Listener, *, ready: Callable[[], None], leave: Callable[[], None], idle: float = IDLE_SECONDS
) -> bool:
    """Serve until a signal, or until the page was not used for ``idle`` seconds; return whether the latter was it.

    ``ready`` is called once it can be opened, ``leave`` at a second signal.
    """
    used = monotonic()

    def seen() -> None:
        nonlocal used
        used = monotonic()

    config = uvicorn.Config(
        application(ui, seen),
        log_config=None,
        log_level="critical",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_CLOSE_SECONDS,
    )
    server = _Server(config, ready, leave)
    was_idle = False

    async def watch() -> None:
        nonlocal was_idle
        while not was_idle:
            await asyncio.sleep(min(_CHECK_SECONDS, idle))
            was_idle = monotonic() - used >= idle and not ui.desk.running
        server.should_exit = True

    async def both() -> None:
        watching = asyncio.create_task(watch())
        try:
            await server.serve([listener.socket])
        finally:
            watching.cancel()

    try:
        asyncio.run(both())
    finally:
        ui.tail.stop()
    return was_idle
