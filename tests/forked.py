"""Runs stackctl as a process of its own without the start of Python: forked from one that has imported everything.

A command spends more time on its imports than on its work, and the tests run hundreds. So a server is started once
for each process of pytest; it imports what commands import, runs nothing, and forks a child for each command. The
child *is* a command: it has its own process id, directory, environment and standard streams, ``main`` gets its
arguments and its signals, and Python ends in it as it always does. So its exit code is what the system reports, and
what it changes or imports is lost with it. What could differ is what Python itself takes from the environment, so a
command with other such variables is not to be forked. Only which Compose there is, is found once for all of them.

The start itself is proved by the tests that need the executable: those that install it, send signals to it, measure
it, look at its imports, or run it as another user.
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import pkgutil
import selectors
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from subprocess import DEVNULL, PIPE, CompletedProcess, Popen, TimeoutExpired
from threading import Lock
from typing import Any, NoReturn

STACKCTL = Path(sys.executable).parent / "stackctl"
"""Not resolved: next to the link in the virtual environment stands what is installed there."""

MAIN = "from stackctl.__main__ import main; main()"

_OF_PYTHON = ("PYTHON", "LC_", "LANG", "TZ")
"""How the variables begin that Python reads before the program does."""

_LATE = ("crossplane", "dns.resolver", "docker", "idna", "psutil", "publicsuffixlist", "rich.status", "typer._adapters")
"""What stackctl imports where it needs it, beside its own modules."""

_starting = Lock()
_LONGEST_REQUEST = 1 << 17


def fits(environment: Mapping[str, str]) -> bool:
    """Return whether a command in this environment may be forked: Python would start as it has here."""
    keys = {key for key in (*os.environ, *environment) if key.startswith(_OF_PYTHON)}
    return all(os.environ.get(key) == environment.get(key) for key in keys)


def run(
    arguments: Sequence[str], cwd: Path, environment: Mapping[str, str], seconds: float = 60.0, code: str = MAIN
) -> CompletedProcess[str]:
    """Run ``stackctl`` with these arguments, as :func:`subprocess.run` does that captures the output.

    ``code`` is what runs, in Python, with ``sys.argv`` set.
    """
    command = [str(STACKCTL), *arguments]
    request = json.dumps([command, str(cwd), dict(environment), code]).encode()
    ours, theirs = socket.socketpair()
    (out, to_out), (errors, to_errors) = os.pipe(), os.pipe()
    connection, server = _server()
    with ours, theirs, Path(os.devnull).open() as nothing, os.fdopen(out) as stdout, os.fdopen(errors) as stderr:
        with os.fdopen(to_out, "w"), os.fdopen(to_errors, "w"):
            socket.send_fds(connection, [request], [nothing.fileno(), to_out, to_errors, theirs.fileno()])
        theirs.close()
        read = dict.fromkeys([ours.fileno(), stdout.fileno(), stderr.fileno()], b"")
        ended = _read_to_the_end(read, seconds)
    told, *printed = read.values()
    assert told, f"the server has ended: {server.communicate()!r}"
    if not ended:
        os.kill(int(told), signal.SIGKILL)
        raise TimeoutExpired(command, seconds)
    texts = (text.decode().replace("\r\n", "\n").replace("\r", "\n") for text in printed)
    return CompletedProcess(command, int(told.split()[1]), *texts)


def _read_to_the_end(read: dict[int, bytes], seconds: float) -> bool:
    """Add to each file what can be read from it; return whether that was all of it within these seconds."""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as left:
        for file in read:
            left.register(file, selectors.EVENT_READ)
        while left.get_map():
            ready = left.select(max(0.0, deadline - time.monotonic()))
            if not ready:
                return False
            for key, _ in ready:
                part = os.read(key.fd, 1 << 16)
                read[key.fd] += part
                if not part:
                    left.unregister(key.fd)
    return True


def _server() -> tuple[socket.socket, Popen[bytes]]:
    """The server of this process, which ends when the connection to it does."""
    with _starting:
        return _started_server()


@cache
def _started_server() -> tuple[socket.socket, Popen[bytes]]:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    command = [sys.executable, __file__, str(theirs.fileno())]
    # With pipes, as the children have them: Python asks its streams at their start what they are.
    server = Popen(command, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, pass_fds=[theirs.fileno()])
    theirs.close()
    atexit.register(server.communicate)
    atexit.register(ours.close)
    return ours, server


def _serve(connection: socket.socket) -> str:
    """Serve until the client closes the connection; return in each child, with the code that it is to run."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # the children's parents are reaped by the kernel
    while True:
        request, files, *_ = socket.recv_fds(connection, _LONGEST_REQUEST, 4)
        if not request:
            sys.exit()
        if not os.fork():
            break
        for file in files:
            os.close(file)
    connection.close()
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    if child := os.fork():
        _tell(child, files)
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
    for file in files:
        os.close(file)
    sys.argv, cwd, environment, code = json.loads(request)
    sys.path[0] = str(STACKCTL.parent)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(cwd)
    return str(code)


def _tell(child: int, files: list[int]) -> NoReturn:
    """Tell the client which process its command is, and how it ends."""
    *standard, reply = files
    for file in standard:
        os.close(file)  # whose ends tell the client that the command has written all
    os.write(reply, b"%d\n" % child)
    _, status = os.waitpid(child, 0)
    os.write(reply, b"%d\n" % os.waitstatus_to_exitcode(status))
    os._exit(0)


def _import_everything() -> None:
    import typer.main  # noqa: PLC0415  (only the server needs them)

    import stackctl  # noqa: PLC0415
    from stackctl.cli.main import app  # noqa: PLC0415

    for module in pkgutil.walk_packages(stackctl.__path__, "stackctl."):
        # The plugin of certbot's needs certbot, which is in its container only.
        if not module.name.endswith(("__main__", "certs.dns01.plugin")):
            import_module(module.name)
    for name in _LATE:
        with suppress(ImportError):  # not each version of a package has each of its modules
            import_module(name)
    # The objects of the command line keep nothing of a run: one set of them serves all, as in tests/conftest.py.
    typer.main.get_command = cache(typer.main.get_command)
    typer.main.get_command(app)
    _remember_compose()
    gc.collect()
    gc.freeze()


def _remember_compose() -> None:
    """Look for Compose once, not in each command: that is two programs more. Not where it may be another one."""
    from stackctl.adapters.docker import binary  # noqa: PLC0415  (only the server needs it)
    from stackctl.errors import EngineError  # noqa: PLC0415

    user: Any = import_module("stackctl.adapters.docker.compose")

    def place() -> list[str | None]:
        return [os.environ.get(key) for key in ("PATH", "HOME", "DOCKER_CONFIG")]

    find = binary.find_compose
    try:
        found, here = find(), place()
    except EngineError:
        return
    user.find_compose = lambda: list(found) if place() == here else find()


class _Command:
    """A command: Python ends in it as always, but for the clearing of all modules, which takes longer than most."""

    code: int | None = None

    def run(self, code: str) -> None:
        try:
            exec(code, {"__name__": "__main__"})
        except SystemExit as ended:
            self.code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            raise
        except Exception:
            self.code = 1
            raise
        self.code = 0

    def end(self) -> None:
        """End at once, if this is a command: the last of what Python calls at its exit."""
        if self.code is not None:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(self.code & 0xFF)


if __name__ == "__main__":
    command = _Command()
    atexit.register(command.end)  # first, so it is called last
    _import_everything()
    command.run(_serve(socket.socket(fileno=int(sys.argv[1]))))
