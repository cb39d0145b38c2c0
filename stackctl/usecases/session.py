"""Opens a stack for use cases, and keeps other commands out while one changes it.

Together with the use cases this is stackctl as a library::

    context = open_stack(Path("/srv/sites"), report=report, environ=os.environ)
    with exclusive(context, wait=60):
        result = up(context)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

from stackctl.adapters.disk.directory import StackDirectory
from stackctl.adapters.disk.files import host_errors, make_folder
from stackctl.adapters.disk.lock import locked
from stackctl.adapters.engines import DEFAULT, ENGINES
from stackctl.adapters.net.network import HostNetwork
from stackctl.adapters.net.resolver import VARIABLE, parse_resolver
from stackctl.adapters.net.wire import HostWire
from stackctl.engine.context import Context, Report
from stackctl.engine.sources.registered import ISSUERS
from stackctl.errors import InputError
from stackctl.model.layout import CACHE, LOCK, STATE, USER_CACHE
from stackctl.proxies.registry import PROXIES
from stackctl.stackfile.locate import locate

PROGRAM = "stackctl"


def now() -> datetime:
    """Return the time of the system's clock."""
    return datetime.now(UTC)


def open_stack(  # noqa: PLR0913  (everything that a process has and a use case must not look for)
    directory: Path,
    *,
    report: Report,
    environ: Mapping[str, str],
    command: str = PROGRAM,
    clock: Callable[[], datetime] = now,
    create: bool = False,
) -> Context:
    """Return the stack in ``directory`` as it is at this moment; there need not be one yet.

    Args:
        directory: where the stack is, or will be.
        report: receives the progress of commands.
        environ: the environment: ``COMPOSE_FILE`` and ``COMPOSE_PATH_SEPARATOR`` name the Compose files,
            ``STACKCTL_RESOLVER`` a name server, ``XDG_CACHE_HOME`` and ``HOME`` the user's cache.
        command: the command line, which the history and the lock name.
        clock: gives the time that certificates are compared with.
        create: whether a directory that is missing is made.

    Raises:
        InputError: there is no such directory.
    """
    root = directory.absolute()
    if create:
        with host_errors():
            make_folder(root)
    if not root.is_dir():
        raise InputError(f"there is no directory {directory}", field="directory")
    files = locate(root, environ)
    resolver = environ.get(VARIABLE)
    network = HostNetwork(parse_resolver(resolver) if resolver else None)
    engine = ENGINES[DEFAULT](files)
    return Context(
        directory=StackDirectory(files, engine.containers.read_tree, _cache(environ)),
        orchestrator=engine.orchestrator,
        images=engine.images,
        containers=engine.containers,
        sandbox=engine.sandbox,
        delivery=engine.delivery,
        wire=HostWire(),
        proxies=PROXIES,
        now=clock,
        report=report,
        network=network,
        issuers=ISSUERS,
        command=command,
    )


def exclusive(context: Context, wait: float, *, create: bool = False) -> AbstractContextManager[None]:
    """Hold the stack's lock, waiting up to ``wait`` seconds for another command to end.

    Where there is no stack there is nothing to guard, and no lock file is left behind; with ``create`` one is
    about to be made.

    Raises:
        Locked: another command still holds it; the message says which.
    """
    root = context.directory.root
    if not (create or context.directory.files.main.exists() or (root / STATE).is_dir()):
        return nullcontext()
    line = context.command.removeprefix(f"{PROGRAM} ")
    return locked(root / LOCK, line, context.now, context.report.note, wait)


def _cache(environ: Mapping[str, str]) -> Path | None:
    """Return the user's directory for what can be computed again (XDG Base Directory Specification)."""
    base, home = Path(environ.get("XDG_CACHE_HOME", "")), Path(environ.get("HOME", ""))
    if base.is_absolute():
        return base / CACHE
    if home.is_absolute():
        return home / USER_CACHE / CACHE
    try:
        return Path.home() / USER_CACHE / CACHE
    except RuntimeError:  # a user without a home
        return None
