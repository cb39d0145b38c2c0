from __future__ import annotations

import copy
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

import pytest

from stackctl.adapters.disk.directory import StackDirectory
from stackctl.adapters.fakes.engine import FakeEngine, fake_engine
from stackctl.adapters.fakes.network import FakeNetwork
from stackctl.engine.apply import deploy, drain, live, prove, services
from stackctl.engine.context import Context
from stackctl.engine.sources.registered import ISSUERS
from stackctl.errors import StackctlError
from stackctl.model.endpoints import Endpoint, Upstream
from stackctl.model.match_values import site_and_path
from stackctl.model.matching import EVERY_PATH
from stackctl.model.values import Domain, ServiceName
from stackctl.observed.delivery import Delivery
from stackctl.plan.operation import Operation
from stackctl.proxies.nginx.proxy import Nginx
from stackctl.proxies.proxy import Proxy
from stackctl.proxies.registry import PROXIES
from stackctl.stackfile.document import Document
from stackctl.usecases.add_app import AddApp, add_app
from stackctl.usecases.adopt.take_over import UndoReport
from stackctl.usecases.as_json import payload_object
from stackctl.usecases.doctor.doctor import DoctorReport, doctor
from stackctl.usecases.init import InitOptions, init
from stackctl.usecases.remove_app import remove_app
from stackctl.usecases.renew import RenewReport, renew
from stackctl.usecases.result import Result
from stackctl.usecases.rollback import RollbackReport, rollback
from stackctl.usecases.status import status
from stackctl.usecases.up_down import DownReport, down, plan, up

P = TypeVar("P")


class QuickNginx(Nginx):
    """The fake's workers change at once."""

    reload = replace(Nginx.reload, overlap=0.0)


OPTIONS = InitOptions(email="ops@example.com", agree_tos=True)
IMAGES: dict[str, tuple[int, ...]] = {
    "nginx:1.30": (80, 443),
    "certbot/certbot:v5.6.0": (),
    "one:latest": (8000,),
    "two:latest": (3000,),
    "three:latest": (),
    "four:latest": (8080, 9090),
}


@dataclass
class Clock:
    now: datetime = datetime(2026, 8, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class Notes:
    """A report that keeps what it hears."""

    notes: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    stages: list[str] = field(default_factory=list)

    def begin(self, operation: Operation) -> None:
        assert operation.text

    def end(self, operation: Operation, error: str | None) -> None:
        self.ended.append(operation.text if error is None else f"{operation.text}: {error}")

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, text: str) -> None:
        self.stages.append(text)


_PARSED = lru_cache(maxsize=256)(Document.parse)
"""Most files of the tests, and all blocks that stackctl writes, have been read before; nobody changes what is read."""


WITH_PLAN = "STACKCTL_TEST_EXAMPLES" not in os.environ
"""Whether each ``up`` is compared with ``plan`` first, in almost half of its time; ``make check`` leaves that out."""


def without_waiting(patch: pytest.MonkeyPatch) -> None:
    """Let the commands wait neither for the fake nor for the disk, and read each text once.

    The fake's state changes only when it is asked to: a second look shows what the first did. No test cuts the
    power, so nothing has to reach the disk: this is most of the time they would take.
    """
    patch.setattr(services, "SERVICE_SECONDS", 0.0)
    for name in ("PROXY_SECONDS", "SIGNAL_SECONDS", "SITE_SECONDS"):
        patch.setattr(prove, name, 0.0)
    patch.setattr(deploy, "RESOLVED_SECONDS", 0.0)
    patch.setattr(live, "RESOLVED_SECONDS", 0.0)
    patch.setattr(drain, "sleep", lambda _seconds: None)
    patch.setattr(os, "fsync", lambda _descriptor: None)
    patch.setattr(Document, "parse", _PARSED)


class World:
    """A stack directory, a fake engine on it, and the commands."""

    def __init__(self, root: Path, cache: Path | None = None) -> None:
        self.cache = cache
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.clock = Clock()
        self.fake = FakeEngine(root, self.clock)
        self.fake.images = dict(IMAGES)
        self.network = FakeNetwork(root, self.fake)
        self.issuers = ISSUERS
        self.report = Notes()
        self.diagnosis = Result("doctor", DoctorReport((), None))
        self.dry_run = False
        """Whether the commands only show their plan; each can be called so by itself too."""

    def copy(self, root: Path) -> World:
        """The same world in another place: what happens in one is not seen in the other."""
        shutil.copytree(self.root, root, symlinks=True)
        twin = type(self)(root)
        twin.clock.now = self.clock.now
        twin.network.take_over(self.network)
        twin.issuers = self.issuers
        fake = twin.fake
        fake.ca, fake.images, fake.registry = self.fake.ca, dict(self.fake.images), dict(self.fake.registry)
        fake.outside, fake.runs, fake.loaded = set(self.fake.outside), dict(self.fake.runs), dict(self.fake.loaded)
        for number, run in fake.runs.items():
            fake.runs[number] = replace(run, container=replace(run.container, directory=str(root)))
        fake.loaded_generation = self.fake.loaded_generation
        fake.calls = list(self.fake.calls)  # container ids and addresses go on from it
        return twin

    def template(self, root: Path) -> World:
        """A copy that is to be all there is: what its CA issues is not seen here either."""
        twin = self.copy(root)
        twin.fake.ca = copy.copy(self.fake.ca)
        twin.fake.ca.issued = list(self.fake.ca.issued)
        return twin

    @property
    def proxies(self) -> Mapping[str, Proxy]:
        """Those of the registry; none waits for workers."""
        return {**PROXIES, "nginx": QuickNginx()}

    @property
    def host(self) -> Context:
        """As each new process builds it."""
        directory = StackDirectory(self.fake.files, self.fake.read_tree, self.cache)
        engine = fake_engine(self.fake)
        return Context(
            directory=directory,
            orchestrator=engine.orchestrator,
            images=engine.images,
            containers=engine.containers,
            sandbox=engine.sandbox,
            delivery=engine.delivery,
            wire=self.fake,
            proxies=self.proxies,
            now=self.clock,
            report=self.report,
            network=self.network,
            issuers=self.issuers,
            tools=lambda _command: None,
        )

    def init(self, options: InitOptions = OPTIONS, *, dry_run: bool = False) -> Result[None]:
        return init(self.host, options, dry_run=dry_run or self.dry_run)

    def add(
        self, name: str, *aliases: str, dry_run: bool = False, upstream: str | None = None, **more: Any
    ) -> Result[None]:
        if upstream is not None:
            at, _, port = upstream.rpartition(":")
            more["upstream"] = Upstream(Endpoint(at, int(port)))
        if "service" in more:
            more["service"] = ServiceName(more["service"])
        domain, path = site_and_path(name)
        wanted = AddApp(domain, tuple(Domain(alias) for alias in aliases), **more, path=path or EVERY_PATH)
        return add_app(self.host, wanted, dry_run=dry_run or self.dry_run)

    def remove(self, name: str, **more: bool) -> Result[None]:
        domain, path = site_and_path(name)
        return remove_app(self.host, domain, path, **{"dry_run": self.dry_run, **more})

    def up(self, **more: bool) -> Result[None]:
        """``up``; what ``plan`` shows before it is exactly what it then does."""
        options = {"dry_run": self.dry_run, **more}
        if not WITH_PLAN:
            return up(self.host, **options)
        shown = self._planned(**{key: value for key, value in options.items() if key != "dry_run"})
        if isinstance(shown, StackctlError):
            with pytest.raises(type(shown), match=re.escape(str(shown))):
                up(self.host, **options)
            raise shown
        result = up(self.host, **options)
        assert told(shown.plan.operations) == told(result.plan.operations)
        if result.steps and not result.errors:
            assert told([step.operation for step in result.steps]) == told(shown.plan.operations)
        return result

    def _planned(self, **options: bool) -> Result[None] | StackctlError:
        """What ``plan`` shows, or how it is refused; the fake forgets that it was asked."""
        fake = self.fake
        kept = (list(fake.calls), fake.kill_before, fake.kill_after, dict(fake.images), self.report)
        fake.kill_before = fake.kill_after = None
        self.report = Notes()
        before = self.tree()
        try:
            return plan(self.host, **options)
        except StackctlError as error:
            return error
        finally:
            assert self.tree() == before, "'plan' changes nothing"
            fake.calls[:], fake.kill_before, fake.kill_after, fake.images, self.report = kept

    def rollback(self, number: int | None = None, *, dry_run: bool = False) -> Result[RollbackReport | UndoReport]:
        return rollback(self.host, number, dry_run=dry_run or self.dry_run)

    def down(self, *, dry_run: bool = False) -> Result[DownReport]:
        return down(self.host, dry_run=dry_run or self.dry_run)

    def renew(self, *force: str, dry_run: bool = False) -> Result[RenewReport]:
        return renew(self.host, force=[Domain(name) for name in force], dry_run=dry_run or self.dry_run)

    def doctor(self, *names: str) -> dict[str, dict[str, str]]:
        """The verdicts of ``doctor``: by section, then by check; of several of one name the worst."""
        self.diagnosis = doctor(self.host, [Domain(name) for name in names])
        rank = ["ok", "unknown", "wrong"]
        found: dict[str, dict[str, str]] = {}
        for section in data(self.diagnosis)["sections"]:
            checks = found.setdefault(section["title"], {})
            for row in section["checks"]:
                checks[row["name"]] = max(checks.get(row["name"], "ok"), row["verdict"], key=rank.index)
        return found

    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows of ``status``, by app."""
        return {row["app"]: row for row in data(status(self.host))["apps"]}

    def served(self) -> dict[str, str]:
        """What the wire shows of each app: real, dummy, other or nothing."""
        return {name: row["served"] for name, row in self.rows().items()}

    @property
    def delivery(self) -> Delivery:
        return self.host.delivery(Nginx.layout)

    def live(self) -> dict[str, bytes]:
        """The proxy's live files."""
        return self.delivery.live()

    def published(self) -> str | None:
        """The live generation, on disk."""
        return self.delivery.published()

    def on_http(self, name: str) -> bool:
        """Whether the app itself answers HTTP, as it does until its certificate is there."""
        site = self.live()[f"sites/{name}.conf"].decode()
        servers = re.findall(r"^server {\n.*?^}", site, re.MULTILINE | re.DOTALL)
        return any("listen 80;" in text and f" {name};" in text and "proxy_pass" in text for text in servers)

    @property
    def file(self) -> Path:
        return self.fake.files.main

    @property
    def text(self) -> str:
        return self.file.read_text()

    def edit(self, old: str, new: str) -> None:
        """The user's edit of the Compose file."""
        text = self.text
        assert text.count(old) == 1, f"{text.count(old)} times {old!r}"
        self.file.write_text(text.replace(old, new))

    def line_of(self, part: str) -> str:
        """``file:line`` of the one line that holds ``part``."""
        found = [number for number, line in enumerate(self.text.splitlines(), 1) if part in line]
        assert len(found) == 1, found
        return f"{self.file.name}:{found[0]}"

    def custom(self, name: str, text: str) -> None:
        (self.root / "nginx" / "custom" / name).write_text(text)

    def tree(self) -> dict[str, bytes]:
        """Every file and link of the directory; what stackctl keeps for itself left out."""
        found: dict[str, bytes] = {}

        def look(folder: str, above: str) -> None:
            for entry in os.scandir(folder):
                name = above + entry.name
                if name.startswith(".stackctl"):
                    continue
                if entry.is_symlink():
                    found[name] = f"-> {os.readlink(entry)}".encode()  # noqa: PTH115  (a Path for each file is slow)
                elif entry.is_dir():
                    found[name] = b"/"
                    look(entry.path, f"{name}/")
                elif entry.is_file():
                    found[name] = Path(entry).read_bytes()

        look(str(self.root), "")
        return dict(sorted(found.items()))

    def asked(self, word: str) -> list[str]:
        """The engine calls that begin with ``word``."""
        return [call for call in self.fake.calls if call.startswith(word)]


def told(operations: Sequence[Operation]) -> list[tuple[str, str, str, str | None]]:
    """What is reported of operations, in their order."""
    return [(type(one).__name__, one.text, one.cause, one.scope) for one in operations]


def data(result: Result[object]) -> dict[str, Any]:
    """The keys that a command adds to its JSON object."""
    return payload_object(result.payload)


def done(result: Result[P]) -> Result[P]:
    """The result of a command that must have succeeded."""
    assert not result.errors, [str(error) for error in result.errors]
    assert all(step.status == "done" for step in result.steps)
    return result
