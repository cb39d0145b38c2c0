"""What a close look at the fake engine shows: containers inspected, and requests that take their way through it."""
# ruff: noqa: D102  (the two protocols say what their methods do)

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from stackctl.adapters.fakes.wire import FakeWire
from stackctl.errors import EngineError
from stackctl.model.endpoints import HTTP_PORT, HTTPS_PORT, Endpoint, PortBinding
from stackctl.model.layout import LIVE, NGINX, SITES
from stackctl.model.values import Domain
from stackctl.observed.containers import Inspected, ListeningSocket
from stackctl.observed.reply import Failure, Reply

_ANYWHERE = ip_address("0.0.0.0")  # noqa: S104  (where an app listens)
_NAMES = re.compile(r"server_name ([^;]+);")
_TARGET = re.compile(r"^\s*server (\S+):(\d+)(?: resolve)?;", re.MULTILINE)
_REFUSED = (
    "{time:%Y/%m/%d %H:%M:%S} [error] 7#7: *{number} connect() failed (111: Connection refused) while connecting to "
    'upstream, client: 10.9.0.1, server: {name}, request: "GET {path} HTTP/1.1", upstream: "http://{at}{path}", '
    'host: "{name}"\n'
)


@dataclass
class Looks:
    """What a look shows beside the state that the engine keeps.

    Attributes:
        seen: facts of a service's containers that are other than usual, by service.
        logs: what a service's containers have printed.
        replies: what comes back through a proxy that works, by ``NAME/PATH``; 200 unless told here.
    """

    seen: dict[str, dict[str, Any]] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)


class FakeLooks(FakeWire):
    """The part of the fake engine that ``doctor`` and ``explain`` look at; ``looks`` bends what they see."""

    root: Path
    now: Callable[[], datetime]

    @cached_property
    def looks(self) -> Looks:
        return Looks()

    def _call(self, what: str) -> AbstractContextManager[None]:
        raise NotImplementedError

    def inspect(self, container: str) -> Inspected:
        with self._call("inspect"):
            if container not in self.runs:
                raise EngineError(f"Docker refused: no such container: {container}")
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
        )
        return replace(usual, **self.looks.seen.get(run.service.name, {}))

    def log(self, container: str, lines: int) -> str:
        with self._call("log"):
            if container not in self.runs:
                raise EngineError(f"Docker refused: no such container: {container}")
            service = self.runs[container].service.name
            return self.looks.logs.get(service, f"{service} says hello") if lines else ""

    def ask(self, at: PortBinding, name: Domain, path: str, *, tls: bool) -> Reply:
        if not self._proxy(HTTPS_PORT if tls else HTTP_PORT, at):
            return Reply(failure=Failure.CONNECT)
        certificate = self.loaded.get(name) if tls else None
        if tls and certificate is None:
            return Reply(failure=Failure.HANDSHAKE)
        if not tls and name in self._names("*.redirect"):
            return Reply(301, f"https://{name}{path}")
        if not tls and name not in self._names("*.conf"):
            return Reply(failure=Failure.CLOSED)
        told = self.looks.replies.get(f"{name}{path}")
        return replace(told or self._passed_on(name, path), certificate=certificate)

    def _names(self, pattern: str) -> dict[str, str]:
        """The names in the live files of the sites, with the text of the file that each is in."""
        texts = [path.read_text() for path in sorted((self.root / NGINX.path / LIVE / SITES).glob(pattern))]
        return {name: text for text in texts for names in _NAMES.findall(text) for name in names.split()}

    def _passed_on(self, name: str, path: str) -> Reply:
        target = _TARGET.search(self._names("*.conf")[name])
        assert target is not None, "the fake proxy follows upstream groups only"
        host, port = target[1].strip("[]"), int(target[2])
        if (host, port) in self.outside or any(self._listens(run, port) for run in self._of(host)):
            return Reply(200)
        proxy = next(run.service.name for run in self.runs.values() if run.service.role == "proxy")
        log = self.looks.logs.get(proxy, "")
        line = _REFUSED.format(time=self.now(), number=len(log), name=name, path=path, at=Endpoint(host, port))
        self.looks.logs[proxy] = log + line
        return Reply(502)

    def _of(self, service: str) -> list[Inspected]:
        return [self.inspect(id_) for id_, run in self.runs.items() if run.service.name == service]

    def _listens(self, seen: Inspected, port: int) -> bool:
        proxy = next(run for run in self.runs.values() if run.service.role == "proxy")
        shared = set(self.inspect(proxy.container.id).networks) & set(seen.networks)
        here = seen.listeners is None or any(one.port == port and not one.local for one in seen.listeners)
        return seen.running and bool(shared) and here
