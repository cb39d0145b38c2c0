"""The probes of the fake engine: inspected containers, and requests through its proxy."""
# ruff: noqa: D102  (the two protocols say what their methods do)

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from stackctl.adapters.fakes.proxy import FakeProxy
from stackctl.adapters.fakes.wire import MEANWHILE, FakeWire
from stackctl.errors import EngineError
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, PortBinding
from stackctl.model.fields import Request
from stackctl.model.layout import LIVE
from stackctl.model.project import Mount, Project, Service
from stackctl.model.values import Domain
from stackctl.observed.containers import Deployment, Entry, Inspected, Process
from stackctl.observed.reply import ClientRequest, Failure, Reply, Response
from stackctl.observed.sockets import Connection, ListeningSocket
from stackctl.observed.wire import ANSWER_SECONDS

_ANYWHERE = ip_address("0.0.0.0")  # noqa: S104  (where an app listens)


@dataclass
class Looks:
    """What probes return in addition to the engine's own state.

    Attributes:
        seen: facts of a service's containers that are other than usual, by service.
        logs: what a service's containers have printed.
        replies: responses through a running proxy, by ``NAME/PATH``; 200 by default.
        files: the files of an image, by their paths, by image.
        edited: files of the stack that were edited after the proxy loaded them.
        inside: the files of a service's containers that no mount and no image has, by service.
        answers: complete answers of the proxy, and of one that runs meanwhile (:data:`MEANWHILE`), by
            ``PORT NAME/PATH``; an empty 200 by default. Those of containers by ``IMAGE PATH``.
        writes: where the containers of an image have a volume, by image.
        leaving: how often a look at the proxy's processes shows an old worker.
        connections: what a look at an old worker shows: its connections, or None if they cannot be seen.
        printed: what further commands in containers print, by their words.
        programs: the command line of a service's process where that is not the proxy's, by service.
    """

    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    files: dict[str, dict[str, bytes]] = field(default_factory=dict)
    edited: set[str] = field(default_factory=set)
    inside: dict[str, dict[str, bytes]] = field(default_factory=dict)
    answers: dict[str, Response] = field(default_factory=dict)
    writes: dict[str, tuple[str, ...]] = field(default_factory=dict)
    leaving: int = 0
    connections: Callable[[], tuple[Connection, ...] | None] = lambda: None
    printed: dict[str, str] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)


class FakeLooks(FakeWire):
    """The part of the fake engine that ``doctor`` and ``explain`` probe; ``looks`` overrides what they see."""

    root: Path
    now: Callable[[], datetime]
    proxy: FakeProxy

    @property
    def live(self) -> Path:
        raise NotImplementedError

    @cached_property
    def looks(self) -> Looks:
        return Looks()

    def _call(self, what: str) -> AbstractContextManager[None]:
        raise NotImplementedError

    def attached(self, stackfile: str, project: Project, containers: Deployment) -> Project:  # noqa: ARG002
        return project

    def stacks(self) -> dict[str, str]:
        with self._call("stacks"):
            proxies = [run for run in self.runs.values() if run.service.role == "proxy"]
            return {run.project: run.container.directory for run in proxies}

    def inspect(self, container: str) -> Inspected:
        with self._call("inspect"):
            if container not in self.runs:
                raise EngineError(f"Docker reports an error: no such container: {container}")
        run = self.runs[container]
        networks = [f"{run.project}_{name}" for name in sorted(run.service.networks)]
        listens = tuple(ListeningSocket(_ANYWHERE, port) for port in self.images.get(run.service.image or "", ()))
        usual = Inspected(
            name=f"{run.project}-{run.service.name}-1",
            state=run.container.state,
            service=run.service.name,
            health=run.container.health,
            exit_code=int(run.container.state == "exited"),
            started=self.now(),
            networks=dict.fromkeys(networks, run.container.addresses[0]),
            listeners=listens or None,
            image=run.service.image or f"{run.project}-{run.service.name}",
        )
        return replace(usual, **self.looks.seen.get(run.service.name, {}))

    def entries(self, container: str, path: str, limit: int) -> Mapping[str, Entry]:
        with self._call(f"entries {path}"):
            mounted = self._mounted(container, path.rstrip("/"))
            found = mounted if mounted is not None else self._inside(container, path.rstrip("/"))
        if sum(len(one.content or b"") for one in found.values()) > limit:
            raise EngineError(f"{path} has more than {limit} bytes")
        return found

    def _mounted(self, container: str, path: str) -> dict[str, Entry] | None:
        """Return the entries below a mount of a container; None if no mount has the path."""
        mounts = self.runs[container].service.mounts if container in self.runs else ()
        mount = max((one for one in mounts if f"{path}/".startswith(f"{one.target}/")), key=_depth, default=None)
        if mount is None:
            return None
        source = self.root / (mount.source if mount.kind == "bind" else f"volumes/{mount.source}")
        top = source / path.removeprefix(mount.target).lstrip("/")
        top = top.parent.resolve() / top.name
        if not top.exists() and not top.is_symlink():
            return {}
        below = [top, *top.rglob("*")] if top.is_dir() and not top.is_symlink() else [top]
        return {"" if one == top else str(one.relative_to(top)): self._entry(one) for one in below}

    def _entry(self, path: Path) -> Entry:
        mode = path.lstat().st_mode & 0o7777
        if path.is_symlink():
            return Entry(mode, target=str(path.readlink()))
        edited = str(path.relative_to(self.root.resolve())) in self.looks.edited
        modified = self.now().timestamp() + 60 if edited else 0.0
        return Entry(mode, None if path.is_dir() else path.read_bytes(), modified=modified)

    def _inside(self, container: str, path: str) -> dict[str, Entry]:
        """Return the entries of the image of a container, and those that only the container has."""
        if container in self.runs:
            service = self.runs[container].service
            image = service.image or f"{self.runs[container].project}-{service.name}"
            files = {**self.looks.files.get(image, {}), **self.looks.inside.get(service.name, {})}
        elif container in self.looks.files:
            files = self.looks.files[container]
        else:
            raise EngineError(f"Docker reports an error: no such container: {container}")
        below = {
            name.removeprefix(path).lstrip("/"): body
            for name, body in files.items()
            if f"{name}/".startswith(f"{path}/")
        }
        found = {name: Entry(0o644, body) for name, body in below.items()}
        return {"": Entry(0o755), **found} if found else {}

    def processes(self, container: str) -> tuple[Process, ...]:
        with self._call("processes"):
            service = self.runs[container].service.name
            found = [Process(self.looks.programs.get(service, self.proxy.process), 0, 1)]
            if self.looks.leaving > 0:
                self.looks.leaving -= 1
                found.append(Process(self.proxy.leaving, 5, 7))
        return tuple(found) if self.runs[container].container.running else ()

    def connections(self, container: str, processes: Collection[int]) -> Mapping[int, tuple[Connection, ...]] | None:  # noqa: ARG002
        with self._call("connections"):
            found = self.looks.connections()
        return None if found is None else dict.fromkeys(processes, found)

    @contextmanager
    def unstarted(self, image: str) -> Iterator[str]:
        with self._call(f"unstarted {image}"):
            if image not in self.images:
                raise EngineError(f"the image does not exist: {image}")
            self.looks.files.setdefault(image, {})
        yield image

    def log(self, container: str, lines: int) -> str:
        with self._call("log"):
            if container not in self.runs:
                raise EngineError(f"Docker reports an error: no such container: {container}")
            service = self.runs[container].service.name
            return self.looks.logs.get(service, f"{service} says hello") if lines else ""

    def ask(self, at: PortBinding, name: Domain, sent: Request, *, tls: bool) -> Reply:
        path = sent.target
        if not self._proxy(HTTPS_PORT if tls else HTTP_PORT, at):
            return Reply(failure=Failure.CONNECT)
        certificate = self.loaded.get(name) if tls else None
        if tls and certificate is None:
            return Reply(failure=Failure.HANDSHAKE)
        if not tls and name in self.proxy.redirected(self.live):
            return Reply(301, f"https://{name}{path}")
        if path == self.proxy.health_path(self.live):
            layout = self.proxy.layout
            return Reply(503 if (self.root / layout.directory / layout.draining).exists() else 200)
        if not tls and name not in self.proxy.upstreams(self.live):
            return Reply(failure=Failure.CLOSED)
        reply = self.looks.replies.get(f"{name}{path}")
        return replace(reply or self._passed_on(name, path), certificate=certificate)

    def _passed_on(self, name: str, path: str) -> Reply:
        upstream = self.proxy.upstreams(self.live)[name]
        host, port = upstream.host, upstream.port
        if (host, port) in self.outside or any(self._listens(run, port) for run in self._of(host)):
            return Reply(200)
        proxy = next(run.service.name for run in self.runs.values() if run.service.role == "proxy")
        log = self.looks.logs.get(proxy, "")
        time = f"{self.now():%Y/%m/%d %H:%M:%S}"
        self.looks.logs[proxy] = log + self.proxy.connection_refused(time, len(log), name, path, upstream)
        return Reply(502)

    def _of(self, service: str) -> list[Inspected]:
        found = [run for run in self.runs.values() if service in {run.service.name, *run.container.addresses}]
        return [self.inspect(run.container.id) for run in found]

    def _listens(self, seen: Inspected, port: int) -> bool:
        proxy = next(run for run in self.runs.values() if run.service.role == "proxy")
        shared = set(self.inspect(proxy.container.id).networks) & set(seen.networks)
        here = seen.listeners is None or any(one.port == port and not one.local for one in seen.listeners)
        return seen.running and bool(shared) and here

    def answer(self, at: PortBinding, request: ClientRequest, timeout: float = ANSWER_SECONDS) -> Response:  # noqa: ARG002
        for run in self.runs.values():
            if at.address in run.container.addresses:
                return self.looks.answers.get(f"{run.service.image} {request.path}", Response(200))
        return self.looks.answers.get(f"{at.port} {request.host}{request.path}", Response(200))

    @contextmanager
    def serving(
        self, service: Service, command: Sequence[str], tmpfs: Sequence[str], beside: str, ports: Collection[int]
    ) -> Iterator[Mapping[int, PortBinding]]:
        with self._call(f"serving {' '.join(command)}"):
            if service.image not in self.images:
                raise EngineError(f"the image does not exist: {service.image}")
        assert beside in self.runs
        assert tmpfs
        self.meanwhile = (Path(service.mounts[0].source) / LIVE).readlink().name
        yield {port: PortBinding("127.0.0.1", MEANWHILE + port) for port in ports}


def _depth(mount: Mount) -> int:
    return len(mount.target)
