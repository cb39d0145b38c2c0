"""Send the same requests to the running proxy of a foreign stack, and to the one that is to replace it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from stackctl.adapters.disk.files import host_errors
from stackctl.adapters.disk.generations import Generations
from stackctl.adopt.comparison import STRANGER, Difference, Probe, compared, lasting
from stackctl.certs.dummy import make_dummy
from stackctl.engine.adopt.foreign import Foreign
from stackctl.engine.adopt.volumes import write_entries
from stackctl.engine.context import Context
from stackctl.engine.waiting import wait_for
from stackctl.errors import EngineError
from stackctl.model.endpoints import HTTP_PORT, PortBinding
from stackctl.model.layout import CUSTOM_FOLDER, FULLCHAIN, PRIVKEY, PROXY_MOUNTS
from stackctl.model.project import Mount, Project
from stackctl.model.stack import Stack
from stackctl.observed.reply import ClientRequest, Response
from stackctl.plan.adopt import CopyFolder, WriteKept
from stackctl.plan.operation import Operation
from stackctl.plan.operations import StageFiles
from stackctl.proxies.proxy import Files, Proxy

_AT_ONCE = 4
"""The requests go to live apps."""

_MOST = 600
"""How many requests are sent to each proxy at most."""

_START_SECONDS = 15.0
_PAIRS = (
    re.compile(rb"""^[ \t]*ssl_certificate(_key)?[ \t]+["']?([^\s;"'$]+)["']?[ \t]*;""", re.MULTILINE),
    re.compile(rb"""^[ \t]+load crt ()(\S+) key \S+ alias \S+$""", re.MULTILINE),
    re.compile(rb"""^[ \t]+load crt \S+ (key) (\S+) alias \S+$""", re.MULTILINE),
)
"""Where a configuration names chains and keys: whether it is a key, and its path."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """What two proxies answered differently.

    Attributes:
        asked: how many requests both were sent.
        skipped: ``file:line`` of what no request was sent for.
        problem: why nothing was compared, or None.
    """

    asked: int = 0
    differences: tuple[Difference, ...] = ()
    skipped: tuple[str, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class Asked:
    """The requests of a comparison, and ``file:line`` of what no request can be made up for."""

    probes: tuple[Probe, ...]
    skipped: tuple[str, ...] = ()


def compare(  # noqa: PLR0913  (the old proxy and the new one)
    context: Context, foreign: Foreign, wanted: Asked, project: Project, stack: Stack, operations: Sequence[Operation]
) -> Comparison:
    """Send both proxies the wanted requests; the second runs in a container of its own meanwhile.

    ``project`` and ``stack`` are those that ``operations`` lead to. Nothing of the stack is changed.
    """
    old = context.orchestrator.containers(project.name).running(foreign.layout.proxy.name)
    published = {port.target: port.at for port in foreign.layout.proxy.ports if port.is_tcp}
    skipped = wanted.skipped
    asked = [probe for probe in wanted.probes if probe.port in published]
    if old is None:
        return Comparison(problem="the old proxy is not running")
    if not asked:
        return Comparison(skipped=skipped, problem="no server of the old proxy is published on this host")
    report = f"comparing the answers to {min(len(asked), _MOST)} requests (GET and HEAD) of both proxies"
    context.report.progress(report)
    try:
        with _second_proxy(context, foreign, project, stack, operations, old.id, {*published, HTTP_PORT}) as there:
            differences = _ask_both(context, asked[:_MOST], published, there)
    except EngineError as error:
        return Comparison(skipped=skipped, problem=f"the new proxy could not be started for it: {error.message}")
    left = tuple(dict.fromkeys(probe.at for probe in asked[_MOST:]))
    return Comparison(min(len(asked), _MOST), differences, (*skipped, *left))


@contextmanager
def _second_proxy(  # noqa: PLR0913  (the old proxy, and the new one)
    context: Context,
    foreign: Foreign,
    project: Project,
    stack: Stack,
    operations: Sequence[Operation],
    beside: str,
    ports: Collection[int],
) -> Iterator[Mapping[int, PortBinding]]:
    """Run the planned proxy on the networks of the old one, with files in a temporary directory."""
    proxy = context.proxy_of(stack)
    service = project.services[stack.proxy.service]
    with ExitStack() as exits:
        with host_errors():
            folder = Path(exits.enter_context(TemporaryDirectory(prefix="stackctl-compare-")))
            root = folder / proxy.layout.directory
            files, generation = _write_files(root, proxy, foreign, operations)
            chain, key = _write_pair(folder, context)
        ours = {proxy.layout.mount, *(place.mount for place in PROXY_MOUNTS)}
        found = (pair for body in files.values() for one in _PAIRS for pair in one.findall(body))
        pairs = sorted({(path.decode(), bool(kind)) for kind, path in found})
        mounts = (
            Mount("bind", str(root), proxy.layout.mount),
            *(Mount("bind", str(key if is_key else chain), path) for path, is_key in pairs if path[0] == "/"),
            *(mount for mount in service.mounts if mount.target not in ours),
        )
        meant = replace(service, mounts=mounts)
        there = exits.enter_context(
            context.sandbox.serving(meant, proxy.start_command(), proxy.layout.tmpfs, beside, ports)
        )
        # Not whether it accepts connections: in its place, the engine does so before it runs.
        if wait_for(lambda: context.wire.generation(there[HTTP_PORT]) == generation or None, _START_SECONDS) is None:
            raise EngineError("it does not answer")
        yield there


def _write_files(root: Path, proxy: Proxy, foreign: Foreign, operations: Sequence[Operation]) -> tuple[Files, str]:
    """Write the proxy's directory as the operations would, and return its configuration with its id."""
    files: dict[str, bytes] = {}
    custom = root / CUSTOM_FOLDER
    custom.mkdir(parents=True)
    root.chmod(0o755)
    for operation in operations:
        if isinstance(operation, StageFiles):
            files |= operation.files
        elif isinstance(operation, WriteKept):
            (custom / operation.name).write_bytes(operation.content)
        elif isinstance(operation, CopyFolder) and foreign.inside is not None:
            found = foreign.inside.tree(operation.source)
            (custom / operation.name).mkdir()
            write_entries(found, custom / operation.name)
    generations = Generations(root.parent, proxy.layout)
    generations.prepare()
    generation = generations.stage(files, proxy.marker).name
    generations.go_live(generation)
    return files, generation


def _write_pair(folder: Path, context: Context) -> tuple[Path, Path]:
    """Write a certificate that only has to exist: the comparison trusts any."""
    chain, key = folder / FULLCHAIN, folder / PRIVKEY
    for path, content in zip((chain, key), make_dummy([STRANGER], context.now()), strict=True):
        path.write_bytes(content)
    return chain, key


def _ask_both(
    context: Context, asked: Sequence[Probe], old: Mapping[int, PortBinding], new: Mapping[int, PortBinding]
) -> tuple[Difference, ...]:
    def ask(at: PortBinding, probe: Probe) -> Response:
        request = ClientRequest(probe.host, old[probe.port].port, probe.tls, probe.path, probe.method)
        return context.wire.answer(at, request)

    def each(probe: Probe) -> tuple[Difference, ...]:
        # Twice, around the other: what differs between the two changes by itself.
        first, now, second = (ask(at, probe) for at in (old[probe.port], new[probe.port], old[probe.port]))
        shown = replace(probe, port=old[probe.port].port)
        found = compared(shown, [first, second], now)
        return lasting(found, compared(shown, [first, second], ask(new[probe.port], probe))) if found else ()

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return tuple(one for found in pool.map(each, asked) for one in found)
