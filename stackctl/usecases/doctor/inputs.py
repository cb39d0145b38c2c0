"""Inputs shared by the checks of ``stackctl doctor``, collected once; a part is None if it is unavailable."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.diagnose.host import ComposeFile, Program
from stackctl.engine.context import Context
from stackctl.engine.probe import host as probe
from stackctl.errors import EngineError, InputError, StackctlError
from stackctl.model.project import Project
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.observed.containers import Deployment
from stackctl.observed.ports import EngineVersion
from stackctl.stackfile.document import Document
from stackctl.stackfile.read import read_sites
from stackctl.usecases.converge import interpolated, load, open_document
from stackctl.usecases.renamed import refuse_renamed


@dataclass(frozen=True, slots=True)
class DoctorInputs:
    """The inputs of the checks.

    Attributes:
        sites: the sites of the Compose file, read even if Compose is missing or rejects the file.
        project: None if Compose cannot resolve the file; ``stack`` is None too.
        containers: None if the engine does not respond, or the project is unknown.
    """

    context: Context
    engine: Program
    engine_version: EngineVersion | None
    compose: Program
    file: ComposeFile
    sites: tuple[Site, ...] = ()
    project: Project | None = None
    stack: Stack | None = None
    containers: Deployment | None = None

    @property
    def has_local_ca(self) -> bool:
        """Return whether the stack's own CA issues certificates."""
        return self.stack.has_local_ca if self.stack is not None else any(site.local for site in self.sites)

    @property
    def asks_ca(self) -> bool:
        """Return whether a CA on the network issues certificates."""
        return not self.has_local_ca or any(not site.local for site in self.sites)

    @property
    def broken(self) -> str | None:
        """Return why containers and apps cannot be checked, or None."""
        if self.engine.problem is not None:
            return "the engine does not respond"
        if self.compose.problem is not None:
            return "Docker Compose is not usable"
        if self.file.name is None:
            return "the directory has no stack"
        return "the Compose file is invalid" if self.stack is None or self.containers is None else None


def collect_inputs(context: Context) -> DoctorInputs:
    """Collect the inputs; an unavailable part does not prevent the others."""
    engine, version = probe.engine(context)
    compose = probe.compose(context)
    bare = DoctorInputs(context, engine, version, compose, ComposeFile(None))
    try:
        doc = open_document(context)
    except InputError:
        return bare
    except StackctlError as error:
        return DoctorInputs(context, engine, version, compose, _broken(context, error))
    try:
        sites = read_sites(doc if compose.problem is not None else interpolated(context, doc))
        if compose.problem is not None:
            return DoctorInputs(
                context, engine, version, compose, ComposeFile(context.directory.files.name, len(sites)), sites
            )
    except StackctlError as error:
        return DoctorInputs(context, engine, version, compose, _broken(context, error))
    return _loaded(bare, doc, sites)


def _loaded(bare: DoctorInputs, doc: Document, sites: tuple[Site, ...]) -> DoctorInputs:
    context, engine = bare.context, bare.engine
    try:
        loaded = load(context, doc, doc.text)
    except EngineError:
        file = ComposeFile(context.directory.files.name, len(sites), resolved=False)
        return DoctorInputs(context, engine, bare.engine_version, bare.compose, file, sites)
    except StackctlError as error:
        return DoctorInputs(context, engine, bare.engine_version, bare.compose, _broken(context, error), sites)
    file = ComposeFile(context.directory.files.name, len(sites))
    containers = None if engine.problem is not None else context.orchestrator.containers(loaded.project.name)
    try:
        if containers is not None:
            refuse_renamed(context, loaded.project, loaded.stack, containers)
    except StackctlError as error:
        return DoctorInputs(context, engine, bare.engine_version, bare.compose, _broken(context, error), sites)
    return DoctorInputs(
        context,
        engine,
        bare.engine_version,
        bare.compose,
        file,
        loaded.stack.sites,
        loaded.project,
        loaded.stack,
        containers,
    )


def _broken(context: Context, error: StackctlError) -> ComposeFile:
    return ComposeFile(context.directory.files.name, problem=str(error), hint=error.hint)
