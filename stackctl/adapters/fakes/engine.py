"""A fake engine for tests and documentation: Compose, a proxy, certbot and a CA that keep their state in memory.

It works on a real stack directory. The proxy serves what it last *loaded* from there, not the current
files; certificates are real ones, of a temporary CA. Each attribute of :class:`Faults` injects one
fault; ``kill_before`` and ``kill_after`` end the process in a chosen call, as a crash would.
"""
# ruff: noqa: D102  (the protocols say what their methods do)

from __future__ import annotations

import ast
import itertools
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from pathlib import Path

from stackctl.adapters.fakes.certbot import FakeCa, FakeCertbot, try_receivers
from stackctl.adapters.fakes.compose import Run, mounted_from, resolve_project, variables_of
from stackctl.adapters.fakes.faults import Faults, Killed
from stackctl.adapters.fakes.mounts import FakeMounts
from stackctl.adapters.fakes.nginx import FakeNginx
from stackctl.adapters.fakes.proxy import Asked, FakeProxy
from stackctl.adapters.fakes.services import FakeServices
from stackctl.adapters.local_delivery import local_engine
from stackctl.certs.dns_files import CHECK
from stackctl.certs.lineage import Certificate
from stackctl.errors import EngineError
from stackctl.model.endpoints import HTTP_PORT, Endpoint, PortBinding
from stackctl.model.layout import CERTBOT_CONF, LIVE, STAMPS, WATCH_SCRIPT, WATCH_SETTINGS
from stackctl.model.project import Project, Service
from stackctl.model.streams import Transport
from stackctl.observed.containers import Container, Deployment, Output
from stackctl.observed.ports import Engine, EngineVersion
from stackctl.stackfile.document import Document
from stackctl.stackfile.locate import ComposeFiles, locate

_SPEC = re.compile(r"main\(json\.loads\((?P<literal>.*)\)\)\)\n\Z")


class FakeEngine(FakeServices):
    """All ports of an engine, and the :class:`~stackctl.observed.wire.Wire`, of one directory.

    ``images`` are the local ones with the ports they EXPOSE (count one up in ``builds`` to build it anew),
    ``registry`` those a pull can fetch. An app listens on its image's ports, or on any where that has
    none. ``outside`` are listeners outside Compose, ``taken`` are used ports of the host. ``calls`` records the calls.
    """

    def __init__(
        self, root: Path, now: Callable[[], datetime], ca: FakeCa | None = None, proxy: FakeProxy | None = None
    ) -> None:
        self.root, self.now, self.ca = root, now, ca or FakeCa()
        self.proxy = proxy or FakeNginx()
        self.environ: dict[str, str] = {}
        self.images: dict[str, tuple[int, ...]] = {}
        self.builds: Counter[str] = Counter()
        self.registry: dict[str, tuple[int, ...]] = {}
        self.outside: set[tuple[str, int]] = set()
        self.taken: dict[int, str] = {}
        self.faults = Faults()
        self.calls: list[str] = []
        self.kill_before: int | None = None
        self.kill_after: int | None = None
        self.runs: dict[str, Run] = {}
        self.printed: dict[str, list[str]] = {}
        self.loaded: dict[str, Certificate] = {}
        self.loaded_second: dict[str, Certificate] = {}
        self.loaded_generation: str | None = None
        self._mounts = FakeMounts(root)

    @property
    def files(self) -> ComposeFiles:
        """The Compose files that ``environ`` and the directory name."""
        return locate(self.root, self.environ)

    @property
    def _certbot(self) -> FakeCertbot:
        proxy_runs = partial(self._proxy, HTTP_PORT)
        return FakeCertbot(self.root / CERTBOT_CONF.path, self.ca, self.now, self.faults.issue, proxy_runs)

    @contextmanager
    def _call(self, what: str) -> Iterator[None]:
        self.calls.append(what)
        number = len(self.calls)
        if number == self.kill_before:
            raise Killed(what)
        if self.faults.away:
            raise EngineError("the Docker Engine does not answer", hint="start Docker", everywhere=True)
        yield
        if number == self.kill_after:
            raise Killed(what)

    def version(self) -> EngineVersion:
        with self._call("version"):
            return EngineVersion("29.0.0", "1.52")

    def compose_version(self) -> str:
        return "5.0.0"

    def resolve(self, stackfile: str, texts: Sequence[str] = ()) -> Project:
        with self._call("resolve"):
            values = variables_of(self.root, self.environ)
            found = resolve_project(stackfile, self.files.name, self.files.project.name, tuple(texts), values)
        return mounted_from(found, self.files)

    def service_names(self, stackfile: str) -> frozenset[str]:
        with self._call("service_names"):
            return frozenset(Document.parse(stackfile, self.files.name).data(("services",)) or ())

    def containers(self, project: str) -> Deployment:
        with self._call("containers"):
            return Deployment(tuple(run.container for run in self.runs.values() if run.project == project))

    def image_id(self, image: str) -> str | None:
        with self._call(f"image_id {image}"):
            return self._id(image) if image in self.images else None

    def exposed_ports(self, image: str) -> tuple[int, ...]:
        with self._call(f"exposed_ports {image}"):
            return tuple(sorted(self.images.get(image, ())))

    def pull(self, image: str) -> None:
        with self._call(f"pull {image}"):
            if image not in self.registry:
                raise EngineError(f"the image {image} cannot be pulled", hint="build it")
            self.images[image] = self.registry[image]

    def run_once(
        self,
        image: str,
        command: Sequence[str],
        like: Service | None = None,
        tmpfs: Sequence[str] = (),  # noqa: ARG002
    ) -> Output:
        with self._call(f"run_once {' '.join(command)}"):
            if image not in self.images:
                raise EngineError(f"the image does not exist: {image}")
            asked = self.proxy.asked(command)
            mounts = {mount.source: mount.target for mount in like.mounts} if like else {}
            if asked and asked.what == "test" and not {STAMPS.mount, self.proxy.layout.mount} <= {*mounts.values()}:
                return Output(1, f"{command[-1]} is not mounted")
            with self._mounts.only(mounts):
                return self._command(command)

    def publisher(self, at: PortBinding, transport: Transport = Transport.TCP) -> str | None:
        with self._call("publisher"):
            wanted = at, transport
            running = [run for run in self.runs.values() if run.container.running]
            found = [run for run in running if wanted in [(one.at, one.transport) for one in run.service.ports]]
            return f"{found[0].project}-{found[0].service.name}-1" if found else None

    def accepts(self, container: Container, port: int) -> bool | None:
        return (
            any(self.answers(Endpoint(address, port)) for address in container.addresses)
            if container.addresses
            else None
        )

    def execute(self, container: str, command: Sequence[str]) -> Output:
        with self._call(f"execute {' '.join(command)}"):
            self._run(container, "running")
            printed = self.looks.printed.get(" ".join(command))
            return self._command(command) if printed is None else Output(0, printed)

    def _run(self, container: str, state: str | None = None) -> Run:
        if container not in self.runs or state not in {None, self.runs[container].container.state}:
            raise EngineError(f"Docker reports an error: container {container} is not {state or 'there'}")
        return self.runs[container]

    def signal(self, container: str, signal: str, processes: tuple[str, ...]) -> bool:
        with self._call(f"signal {signal}"):
            is_proxy = self._run(container, "running").service.role == "proxy" and self.proxy.process in processes
            if is_proxy and not self.faults.reload_fails:
                self._load()
            return is_proxy and not self.faults.reload_fails

    def stream(self, service: str, command: Sequence[str], stdin: str) -> Iterator[str]:
        with self._call(f"stream {service}"):
            if not any(run.service.name == service and run.container.running for run in self.runs.values()):
                raise EngineError(f"service {service!r} is not running", where="docker compose exec")
            if CHECK in " ".join(command):
                yield from self._certbot.check_records(json.loads(stdin), self.faults.records)
                return
            program = _SPEC.search(stdin)
            if program and not self.faults.no_python:
                spec = json.loads(ast.literal_eval(program["literal"]))
                yield from self._certbot.change_settings(spec)
                yield from self._certbot.mend(spec.get("repairs", []), spec.get("removals", []))
                for job in spec.get("jobs", []):
                    with self._call(f"issue {job['lineage']}"):
                        yield from self._certbot.run(job["lineage"], job["argv"])
                return
            done = Output(0, stdin) if list(command) == ["cat"] else self._command(command)
            yield from done.text.splitlines()
            if done.code:
                raise EngineError(f"exit code {done.code}", where="docker compose exec")

    def read_tree(self, role: str, path: str) -> dict[str, bytes]:
        with self._call(f"read_tree {role}"):
            root = self.root / CERTBOT_CONF.path / path.removeprefix(CERTBOT_CONF.mount).lstrip("/")
            return {str(file.relative_to(root)): file.read_bytes() for file in root.rglob("*") if file.is_file()}

    def follow(
        self, services: Sequence[str], *, tail: int | None, follow: bool, since: int | None = None
    ) -> Iterator[str]:
        with self._call(f"follow {follow} since {since}"):
            names = [run.service.name for run in self.runs.values() if not services or run.service.name in services]
            for name in names:
                lines = self.printed.get(name, [f"{name} says hello"])
                first = 0 if tail is None else max(0, len(lines) - tail)
                yield from (f"{name}-1  | {line}" for line in lines[first:])

    def _command(self, command: Sequence[str]) -> Output:
        asked = self.proxy.asked(command)
        if asked is not None:
            return self._proxy_command(asked)
        match list(command):
            case ["certbot", "delete" | "update_account" | "certonly" as word, *argv]:
                return self._certbot_command(word, argv)
            case ["python3", "-c", *_] if not self.faults.no_python:
                return Output(0, '{"addresses": ["192.0.2.9"], "status": 200, "problem": null}')
            case ["sh", script, "test"] if script == WATCH_SCRIPT.mount:
                return try_receivers(self.root / WATCH_SETTINGS.path, self.faults.receivers)
            case ["echo", *words]:
                return Output(0, " ".join(words) + "\n")
            case ["false"]:
                return Output(1, "")
        raise EngineError(f"Docker reports an error: exec: {command[0]!r}: executable file not found in $PATH")

    def _certbot_command(self, word: str, argv: Sequence[str]) -> Output:
        given = dict(itertools.pairwise(argv))
        if word == "delete":
            return self._certbot.delete(given["--cert-name"])
        if word == "update_account":
            contact = given.get("--email", "none")
            with self._call(f"contact {contact}"):
                refused = self.faults.issue.get(contact)
                return Output(int(refused is not None), refused or "")
        lineage = given["--cert-name"]
        with self._call(f"issue {lineage}"):
            events = [json.loads(line) for line in self._certbot.run(lineage, argv)]
        return Output(int(events[-1]["event"] == "failed"), events[-1]["detail"] or "")

    def _proxy_command(self, asked: Asked) -> Output:
        match asked.what:
            case "version":
                return self.proxy.print_version()
            case "test":
                return self.proxy_test(asked.root)
            case "reload":
                return self.proxy.refuse_reload() if self.faults.reload_fails else self._load()

    def proxy_test(self, root: str) -> Output:
        """Return what the proxy's test says of the files at ``root`` below its directory."""
        layout = self.proxy.layout
        return self.proxy.test(self.root / layout.directory / root, f"{layout.mount}/{root}", self._on_host)

    @property
    def live(self) -> Path:
        """The files that a start of the proxy loads."""
        return self.root / self.proxy.layout.directory / LIVE

    def _load(self) -> Output:
        tested = self.proxy_test(LIVE)
        if tested.code == 0:
            self.loaded = self.proxy.certificates(self.live, self._on_host)
            self.loaded_second = self.proxy.second_certificates(self.live, self._on_host)
            self.loaded_generation = self.live.resolve().name
        return tested

    def _on_host(self, path: str) -> Path:
        return self._mounts.on_host(path, [run.service for run in self.runs.values()], self.proxy.layout)


def fake_engine(state: FakeEngine) -> Engine:
    """Give every port of the engine to one fake, which keeps the state of all."""
    return local_engine(state.root, state, state, state, state)
