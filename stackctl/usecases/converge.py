"""The steps of every change: observe → plan → (show) → apply → verify."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace

from stackctl.diagnose.clients import ended_files
from stackctl.engine.apply.execute import Executor
from stackctl.engine.context import Context
from stackctl.engine.probe.observe import observe
from stackctl.errors import DeployFailed, InputError, StackctlError, StackfileError
from stackctl.model.project import Project
from stackctl.model.routing import Site
from stackctl.model.stack import Stack
from stackctl.model.values import Domain
from stackctl.plan.certificates import RefuseIssue
from stackctl.plan.diff import plan_diffs
from stackctl.plan.intent import Intent
from stackctl.plan.planner import make_plan
from stackctl.plan.warnings import at_another_ca, misnamed_files, undeployed, warnings
from stackctl.proxies.proxy import Proxy
from stackctl.proxies.sites import Rendering
from stackctl.stackfile.document import Document
from stackctl.stackfile.keys import KEY, refuse_keys_that_are_no_text, used_keys
from stackctl.stackfile.locate import refuse_foreign_keys
from stackctl.stackfile.read import named_services, read_stack, variables
from stackctl.stackfile.siblings import included
from stackctl.stackfile.stream_ports import with_ports
from stackctl.usecases.abilities import refuse_unable
from stackctl.usecases.declared import with_declared
from stackctl.usecases.local_domains import refuse_wide_domains
from stackctl.usecases.lost import refuse_lost
from stackctl.usecases.pages import with_pages
from stackctl.usecases.reachable import refuse_loops, refuse_unreachable
from stackctl.usecases.recording import contact_changed, record_change, record_failed, record_found
from stackctl.usecases.renamed import refuse_renamed
from stackctl.usecases.result import Result
from stackctl.usecases.taken import refuse_taken_folder, refuse_taken_ports, refuse_taken_stream_ports

_INIT_PORTS = "choose other ports with 'stackctl init --http PORT --https PORT'"


@dataclass(frozen=True, slots=True)
class Loaded:
    """A Compose file, parsed by stackctl and resolved by Compose.

    ``doc`` has the texts as they are written, ``values`` has the values of their variables.

    ``before`` is the text on disk that it was derived from; the file is not written if the text on disk differs
    from it by then.
    """

    doc: Document
    values: Document
    project: Project
    stack: Stack
    before: str | None

    def site(self, domain: Domain) -> Site:
        """Return the site that has ``domain``.

        Raises:
            InputError: there is none.
        """
        found = self.stack.site(domain)
        if found is None:
            raise InputError(f"{domain} is not routed", hint=f"add it with 'stackctl add-app {domain}'")
        return found


def open_document(context: Context) -> Document:
    """Return the Compose file on disk.

    Raises:
        InputError: the directory has no Compose file.
        StackfileError: the file is not valid YAML.
    """
    files = context.directory.files
    text = context.directory.stackfile()
    if text is None:
        raise no_stack(context)
    doc = Document.parse(text, files.name)
    refuse_foreign_keys(files, included(doc.data(("include",))))
    return doc


def no_stack(context: Context) -> InputError:
    """Return the error for a directory without a Compose file."""
    return InputError(
        f"there is no stack in {context.directory.root}",
        hint="create one with 'stackctl init', or choose another directory with 'stackctl -C DIR'",
    )


def load_current(context: Context) -> Loaded:
    """Load the Compose file on disk; it is read once.

    Raises:
        InputError: the directory has no Compose file.
        StackfileError: the file is not valid YAML, Compose rejects it, or x-stackctl is invalid.
    """
    doc = open_document(context)
    return load(context, doc, doc.text)


def load(context: Context, doc: Document, before: str | None, recorded: Mapping[str, bytes] | None = None) -> Loaded:
    """Load ``doc``, which replaces ``before`` on disk; ``recorded`` has its pages, if these are not those on disk.

    Raises:
        StackfileError: Compose rejects it, or x-stackctl is invalid.
    """
    project, values = resolve(context, doc)
    stack = read_stack(values, project, _inactive(context, values, project))
    loaded = Loaded(doc, values, project, with_pages(context, stack, recorded), before)
    refuse_unknown_proxy(context, doc, loaded.stack.proxy.kind)
    _refuse_unrendered(context.proxy_of(loaded.stack), values)
    refuse_wide_domains(loaded.values, loaded.stack)
    _refuse_misplaced(context, loaded)
    refuse_unreachable(doc, loaded.project, loaded.stack)
    refuse_loops(loaded.project, loaded.stack, context.network)
    return loaded


def services_elsewhere(context: Context, doc: Document) -> frozenset[str]:
    """Return all services if other files may define some; Compose is asked only then."""
    others = context.directory.files.others or doc.entry(("include",)) is not None
    return context.orchestrator.service_names(doc.text) if others else frozenset()


def _inactive(context: Context, doc: Document, project: Project) -> frozenset[str]:
    """Return the services of other files whose profiles are not active, if an app or a route names any."""
    if named_services(doc) <= {*project.services, *doc.names(("services",))}:
        return frozenset()
    return services_elsewhere(context, doc)


def resolve(context: Context, doc: Document) -> tuple[Project, Document]:
    """Return what Compose resolves ``doc`` to, and ``doc`` with the values of variables in ``x-stackctl``.

    Raises:
        StackfileError: Compose rejects it, or a file of ``include`` contains ``x-stackctl``.
    """
    refuse_keys_that_are_no_text(doc)
    texts = variables(doc)
    paths = [path for path in included(doc.data(("include",))) if "$" in path]
    project = context.orchestrator.resolve(doc.text, (*texts.values(), *paths))
    values, places = project.texts[: len(texts)], project.texts[len(texts) :]
    if places:
        refuse_foreign_keys(context.directory.files, places)
    return project, doc.interpolated(dict(zip(texts, values, strict=True)))


def interpolated(context: Context, doc: Document) -> Document:
    """Return ``doc`` with the values of variables in ``x-stackctl``; Compose is asked only if there are any.

    Raises:
        StackfileError: Compose rejects it.
    """
    return resolve(context, doc)[1] if variables(doc) else doc


def refuse_unknown_proxy(context: Context, doc: Document, kind: str) -> None:
    """Refuse a ``proxy`` key that names no registered proxy.

    Raises:
        StackfileError: the proxy is not registered; the hint lists those that are.
    """
    if kind not in context.proxies:
        raise StackfileError(
            f"unknown proxy {kind!r}",
            where=doc.where_of((KEY, "proxy")),
            hint=f"use one of: {', '.join(context.proxies)}",
        )


def _refuse_unrendered(proxy: Proxy, doc: Document) -> None:
    """Refuse a key that the proxy has nothing for: an access rule that is ignored would let everybody in.

    Raises:
        StackfileError: with the place of the first.
    """
    for path in used_keys(doc):
        reason = proxy.refuses(str(path[-1]))
        if reason is not None:
            raise StackfileError(
                f"'proxy: {proxy.name}' cannot be used with the key {path[-1]!r}: {reason}",
                where=doc.where_of(path),
                hint="remove the key, or use another proxy",
            )


def _refuse_misplaced(context: Context, loaded: Loaded) -> None:
    """Refuse a proxy that mounts another directory than the stack's, as paths are relative to Compose's project."""
    files, layout = context.directory.files, context.proxy_of(loaded.stack).layout
    if files.project == files.directory:
        return
    service = loaded.stack.proxy.service
    wanted = os.path.realpath(files.directory / layout.directory)
    for mount in loaded.project.services[service].mounts:
        if (mount.kind, mount.target) != ("bind", layout.mount):
            continue
        source = files.directory / mount.source
        if os.path.realpath(source) != wanted:
            raise StackfileError(
                f"the service {service} mounts {source}, but the files of this stack are in {wanted}",
                where=loaded.doc.where_of(("services", service, "volumes")),
                hint="run 'stackctl init', which corrects the paths that stackctl wrote",
            )


def converge(context: Context, command: str, loaded: Loaded, intent: Intent, *, dry_run: bool = False) -> Result[None]:
    """Bring the stack to the state that ``loaded`` describes, within ``intent``, and record the new state.

    Raises:
        IssueFailed: a request breaks a rule of the CA, and ``intent.strict`` is set; nothing was changed.
    """
    loaded = published(context, loaded)
    stack = loaded.stack
    intent = with_declared(context, stack, intent)
    if intent.focus is None and contact_changed(context, loaded.values):
        intent = replace(intent, contact_changed=True)
    observed = observe(context, stack, loaded.project, intent.focused(stack.sites), loaded.before, loaded.doc.text)
    refuse_renamed(context, loaded.project, stack, observed.containers)
    stack = observed.fitted(stack)
    refuse_unable(stack)
    custom = observed.custom if intent.custom is None else intent.custom
    proxy = context.proxy_of(stack)
    rendering = Rendering(proxy, observed.version, custom)
    if intent.custom is None:  # a rollback restores the key
        refuse_lost(context, loaded.before, proxy.sites_in(observed.live))
    plan = make_plan(stack, loaded.doc.text, intent, observed, rendering, context.issuers)
    refused = next((operation for operation in plan.operations if isinstance(operation, RefuseIssue)), None)
    if intent.strict and refused is not None:
        raise refused.error
    focused = intent.focused(stack.sites)
    elsewhere = at_another_ca(stack, focused, observed, plan) if intent.align else ()
    notes = (*warnings(focused, loaded.project.services), *misnamed_files(focused, custom, proxy.layout), *elsewhere)
    notes = (*notes, *undeployed(stack, plan, lambda: proxy.named_in(custom)), *ended_files(stack, context.now()))
    result = Result(command, None, plan, dry_run=dry_run, notes=notes)
    refuse_taken_folder(loaded.project, stack, observed, proxy.layout)
    refuse_taken_stream_ports(context, stack, observed, plan)
    if dry_run:
        return replace(result, diffs=plan_diffs(plan, observed, proxy))
    if plan:
        begins = command == "init" and loaded.doc.text != loaded.before
        refuse_taken_ports(context, stack, observed, plan, _INIT_PORTS if begins else _other_ports(loaded, stack))
    # A rollback chooses its target from the history, so no entry may be added before it.
    unrecorded = record_found(context, stack, observed) if intent.custom is None else None
    if plan:
        result = replace(result, steps=tuple(Executor(context, stack, observed).run(plan)))
    if not any(step.stopped for step in result.steps):
        unrecorded = record_change(context, loaded.doc.text, stack, intent, observed, result.steps) or unrecorded
    elif any(isinstance(error, DeployFailed) for error in result.errors):
        text = _taken_back(context, loaded, result) if intent.or_back else loaded.doc.text
        unrecorded = record_failed(context, text, stack, intent, observed, result.steps) or unrecorded
    return replace(result, notes=(*notes, unrecorded)) if unrecorded else result


def _taken_back(context: Context, loaded: Loaded, result: Result[None]) -> str:
    """Write the Compose file as it was before a deploy that failed, and return its text."""
    after, before = loaded.doc.text, loaded.before
    try:
        assert before is not None, "there is something to deploy"
        context.directory.write_stackfile(before, after)
    except StackctlError as problem:
        context.report.note(f"the file names the new version still: {problem}")
        return after
    for error in result.errors:
        if isinstance(error, DeployFailed):
            error.hint = (
                f"{loaded.doc.name} is as before, and so is where requests go: correct the image, and try again"
            )
    return before


def published(context: Context, loaded: Loaded) -> Loaded:
    """Return ``loaded`` with the ports of its streams in the proxy's service."""
    proxy = loaded.project.services[loaded.stack.proxy.service]
    doc = with_ports(loaded.doc, loaded.stack.streams, proxy, loaded.stack.http3)
    if doc is loaded.doc:
        return loaded
    project, values = resolve(context, doc)
    return replace(loaded, doc=doc, values=values, project=project)


def _other_ports(loaded: Loaded, stack: Stack) -> str:
    """Return how a stack publishes other ports; 'init' changes none of a service that exists."""
    return f"edit the ports in {loaded.doc.where_of(('services', stack.proxy.service, 'ports'))} and run 'stackctl up'"
