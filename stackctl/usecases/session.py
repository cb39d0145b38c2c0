"""Opens a stack for use cases, and locks it while a command changes it.

Together with the use cases this is stackctl as a library::

    context = open_stack(Path("/srv/sites"), report=report, environ=os.environ)
    with exclusive(context, wait=60):
        result = up(context)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from stackctl.adapters.disk.directory import StackDirectory
from stackctl.adapters.disk.files import host_errors, make_folder
from stackctl.adapters.disk.lock import locked, writing
from stackctl.adapters.engines import DEFAULT, ENGINES
from stackctl.adapters.net.network import HostNetwork
from stackctl.adapters.net.resolver import VARIABLE, parse_resolver
from stackctl.adapters.net.wire import HostWire
from stackctl.engine.context import Context, Report
from stackctl.engine.sources.registered import ISSUERS
from stackctl.errors import InputError
from stackctl.model.layout import CACHE, GENERATIONS, LOCK, STATE, USER_CACHE
from stackctl.proxies.registry import PROXIES
from stackctl.stackfile.locate import locate

PROGRAM = "stackctl"


def now() -> datetime:
    """Return the current time of the system clock."""
    return datetime.now(UTC)


def open_stack(  # noqa: PLR0913  (everything that a use case takes from the process)
    directory: Path,
    *,
    report: Report,
    environ: Mapping[str, str],
    command: str = PROGRAM,
    clock: Callable[[], datetime] = now,
    create: bool = False,
) -> Context:
    """Return the context of the stack in ``directory``; the directory may not hold a stack yet.

    Args:
        directory: where the stack is, or will be.
        report: receives the progress of commands.
        environ: the environment: ``COMPOSE_FILE`` and ``COMPOSE_PATH_SEPARATOR`` name the Compose files,
            ``STACKCTL_RESOLVER`` a name server, ``XDG_CACHE_HOME`` and ``HOME`` the user's cache.
        command: the command line, recorded in the history and in the lock.
        clock: returns the time that certificates are checked against.
        create: whether to create a missing directory.

    Raises:
        InputError: the directory does not exist.
    """
    root = _absolute(directory, environ)
    if create:
        with host_errors():
            make_folder(root)
    if not root.is_dir():
        raise InputError(f"directory {directory} does not exist", field="directory")
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


def _absolute(directory: Path, environ: Mapping[str, str]) -> Path:
    """Return the absolute path as the shell shows it, links kept: Compose takes paths from there too.

    A stack in a linked directory would else be defined with other paths by each of the two programs.
    """
    here = Path(environ.get("PWD", ""))
    try:
        shown = here.is_absolute() and here.samefile(Path.cwd())
    except OSError:
        shown = False
    return here / directory if shown else directory.absolute()


@contextmanager
def exclusive(context: Context, wait: float, *, create: bool = False) -> Iterator[None]:
    """Hold the stack's lock; wait up to ``wait`` seconds for another command to release it.

    A directory without a stack is not locked, and gets no lock file, unless ``create`` says that the command
    is about to create one.

    Raises:
        Locked: another command still holds the lock; the message names it.
    """
    root = context.directory.root
    if not (create or context.directory.files.main.exists() or (root / STATE).is_dir()):
        yield
        return
    line = context.command.removeprefix(f"{PROGRAM} ")
    generations = [root / proxy.layout.directory / GENERATIONS for proxy in context.proxies.values()]
    with locked(root / LOCK, line, context.now, context.report.note, wait), writing(generations):
        yield


def _cache(environ: Mapping[str, str]) -> Path | None:
    """Return the user's cache directory (XDG Base Directory Specification)."""
    base, home = Path(environ.get("XDG_CACHE_HOME", "")), Path(environ.get("HOME", ""))
    if base.is_absolute():
        return base / CACHE
    if home.is_absolute():
        return home / USER_CACHE / CACHE
    try:
        return Path.home() / USER_CACHE / CACHE
    except RuntimeError:  # the user has no home directory
        return None
