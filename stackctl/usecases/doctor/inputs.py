"""What the checks of ``stackctl doctor`` stand on: looked at once, each part None where it cannot be had."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.diagnose.host import ComposeFile, Program
from stackctl.engine.context import Host
from stackctl.engine.probe import host as probe
from stackctl.errors import EngineError, InputError, StackctlError
from stackctl.model.project import Project
from stackctl.model.stack import App, Stack
from stackctl.observed.ports import EngineVersion
from stackctl.observed.state import Container
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_apps
from stackctl.usecases.converge import load, open_document


@dataclass(frozen=True, slots=True)
class Ground:
    """What is there to be looked at.

    Attributes:
        apps: as the Compose file routes them, read even where Compose is missing or refuses it.
        project: None where Compose does not resolve it; ``stack`` is None with it.
        containers: None where the engine is away, or nothing says whose they are.
    """

    host: Host
    engine: Program
    engine_version: EngineVersion | None
    compose: Program
    file: ComposeFile
    apps: tuple[App, ...] = ()
    project: Project | None = None
    stack: Stack | None = None
    containers: tuple[Container, ...] | None = None

    @property
    def broken(self) -> str | None:
        """Why neither containers nor apps can be looked at, or None."""
        if self.engine.problem is not None:
            return "the engine is away"
        if self.compose.problem is not None:
            return "there is no usable Compose"
        if self.file.name is None:
            return "there is no stack here"
        return "the Compose file is broken" if self.stack is None or self.containers is None else None


def survey(host: Host) -> Ground:
    """Look at what is there; whatever is not breaks nothing."""
    engine, version = probe.engine(host)
    compose = probe.compose(host)
    bare = Ground(host, engine, version, compose, ComposeFile(None))
    try:
        doc = open_document(host)
    except InputError:
        return bare
    except StackctlError as error:
        return Ground(host, engine, version, compose, _broken(host, error))
    try:
        apps = read_apps(doc)
        if compose.problem is not None:
            return Ground(host, engine, version, compose, ComposeFile(host.directory.files.main.name, len(apps)), apps)
    except StackctlError as error:
        return Ground(host, engine, version, compose, _broken(host, error))
    return _loaded(bare, doc, apps)


def _loaded(bare: Ground, doc: Document, apps: tuple[App, ...]) -> Ground:
    host, engine = bare.host, bare.engine
    try:
        loaded = load(host, doc)
    except EngineError:
        file = ComposeFile(host.directory.files.main.name, len(apps), resolved=False)
        return Ground(host, engine, bare.engine_version, bare.compose, file, apps)
    except StackctlError as error:
        return Ground(host, engine, bare.engine_version, bare.compose, _broken(host, error), apps)
    file = ComposeFile(host.directory.files.main.name, len(apps))
    containers = None if engine.problem is not None else host.engine.containers(loaded.project.name)
    return Ground(host, engine, bare.engine_version, bare.compose, file, apps, loaded.project, loaded.stack, containers)


def _broken(host: Host, error: StackctlError) -> ComposeFile:
    return ComposeFile(host.directory.files.main.name, problem=str(error), hint=error.hint)
