"""The services of the fake engine: what Compose starts, adds and removes."""
# ruff: noqa: D102  (the protocol says what its methods do)

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from stackctl.adapters.disk.directory import StackDirectory
from stackctl.adapters.fakes.compose import Run
from stackctl.adapters.fakes.looks import FakeLooks
from stackctl.adapters.fakes.mounts import FakeMounts
from stackctl.errors import EngineError
from stackctl.model.project import Project, Service
from stackctl.observed.containers import Container, Output
from stackctl.stackfile.locate import ComposeFiles


class FakeServices(FakeLooks):
    """The part of the fake engine that has the containers of services."""

    calls: list[str]
    builds: Counter[str]
    _mounts: FakeMounts

    @property
    def files(self) -> ComposeFiles:
        raise NotImplementedError

    def resolve(self, stackfile: str, texts: Sequence[str] = ()) -> Project:
        raise NotImplementedError

    def pull(self, image: str) -> None:
        raise NotImplementedError

    def _load(self) -> Output:
        raise NotImplementedError

    def _command(self, command: Sequence[str]) -> Output:
        raise NotImplementedError

    def _id(self, image: str) -> str:
        return f"sha256:{hashlib.sha256(f'{image} {self.builds[image]}'.encode()).hexdigest()}"

    def up(self, services: Sequence[str]) -> None:
        directory = StackDirectory(self.files)
        project = self.resolve(directory.stackfile() or "")
        for name in services or project.services:
            with self._call(f"up {name}"):
                if self.faults.up_impossible:
                    raise EngineError(self.faults.up_impossible, hint="make room", everywhere=True)
                if name not in project.services or name in self.faults.up_fails:
                    raise EngineError(f"{name} cannot be started", where="docker compose up")
                self._start(project.name, project.services[name])

    def _start(self, project: str, service: Service) -> None:
        image = self._available(project, service)
        there = 0
        for old in [run.container for run in self.runs.values() if run.service.name == service.name]:
            if old.running and (old.config_hash, old.image_id) == (service.config_hash, self._id(image)):
                there += 1
            else:
                del self.runs[old.id]
        for _ in range(there, service.replicas):
            self._make(project, service)

    def _available(self, project: str, service: Service) -> str:
        image = service.image or f"{project}-{service.name}"
        if image not in self.images and service.builds:
            self.images[image] = ()
        elif image not in self.images:
            self.pull(image)
        return image

    def _state(self, service: str) -> str:
        return "exited" if service in self.faults.exits else "running"

    def _make(self, project: str, service: Service) -> None:
        image = self._available(project, service)
        first = sum(call.startswith("up ") for call in self.calls)
        number = next(one for one in count(first) if f"{one:064x}" not in self.runs)
        state = self._state(service.name)
        if service.role == "proxy":
            with self._mounts.only({mount.source: mount.target for mount in service.mounts}):
                state = "restarting" if self._load().code else state
        ids = (self._id(image), service.config_hash, service.role, (f"10.9.0.{number}",))
        made = Container(f"{number:064x}", service.name, state, None, *ids, directory=str(self.files.project))
        networks = frozenset(f"{project}_{name}" for name in service.networks)
        made = replace(
            made,
            name=self._free_name(project, service.name),
            writes=self.looks.writes.get(image, ()),
            networks=networks,
        )
        self.runs[made.id] = Run(project, service, made)

    def add(self, service: str, count: int) -> None:
        project = self.resolve(StackDirectory(self.files).stackfile() or "")
        if service not in project.services:
            raise EngineError(f"no such service: {service}", where="docker compose up")
        own = [run.container for run in self.runs.values() if run.service.name == service]
        for stopped in own:
            if not stopped.running:
                self.runs[stopped.id] = replace(
                    self.runs[stopped.id], container=replace(stopped, state=self._state(service))
                )
        for _ in range(count - len(own)):
            with self._call(f"up {service} beside"):
                if service in self.faults.up_fails:
                    raise EngineError(f"{service} cannot be started", where="docker compose up")
                self._make(project.name, project.services[service])

    def run_one_off(self, service: str, command: Sequence[str]) -> Output:
        with self._call(f"run_one_off {service} {' '.join(command)}"):
            return self._command(command)

    def _free_name(self, project: str, service: str) -> str:
        taken = {run.container.name for run in self.runs.values()}
        return next(name for number in count(1) if (name := f"{project}-{service}-{number}") not in taken)

    def down(self) -> None:
        with self._call("down"):
            self.runs.clear()

    def remove(self, ids: Sequence[str]) -> None:
        for number in ids:
            with self._call(f"remove {number}"):
                self.runs.pop(number, None)
