"""The way every change goes: observe → plan → (show) → apply → verify."""

from __future__ import annotations

from dataclasses import dataclass, replace

from stackctl.engine.apply.execute import Executor
from stackctl.engine.context import Context
from stackctl.engine.probe.observe import observe
from stackctl.errors import HostError, InputError, StackfileError
from stackctl.model.project import Project
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.diff import plan_diffs
from stackctl.plan.intent import Intent
from stackctl.plan.operation import Plan
from stackctl.plan.operations import StartProxy
from stackctl.plan.planner import make_plan
from stackctl.proxies.sites import Rendering
from stackctl.stackfile.document import Document
from stackctl.stackfile.locate import refuse_foreign_keys
from stackctl.stackfile.read import KEY, read_stack
from stackctl.usecases.recording import record_change, record_found
from stackctl.usecases.result import Result


@dataclass(frozen=True, slots=True)
class Loaded:
    """A Compose file's text, read by us and by Compose.

    ``before`` is the text on disk that it was made from: where another is there when it is written, it is not.
    """

    doc: Document
    project: Project
    stack: Stack
    before: str | None


def open_document(context: Context) -> Document:
    """The Compose file on disk.

    Raises:
        InputError: there is none here.
        StackfileError: it is not YAML.
    """
    files = context.directory.files
    text = context.directory.stackfile()
    if text is None:
        raise no_stack(context)
    refuse_foreign_keys(files)
    return Document.parse(text, files.main.name)


def no_stack(context: Context) -> InputError:
    """The error of a directory without a Compose file."""
    return InputError(
        f"there is no stack in {context.directory.root}",
        hint="make one with 'stackctl init', or name the directory of another",
    )


def load_current(context: Context) -> Loaded:
    """What the Compose file on disk means; it is read once.

    Raises:
        InputError: there is none here.
        StackfileError: it is not YAML, Compose does not accept it, or x-stackctl is wrong.
    """
    doc = open_document(context)
    return load(context, doc, doc.text)


def load(context: Context, doc: Document, before: str | None) -> Loaded:
    """What ``doc``, which is to replace ``before`` on disk, means.

    Raises:
        StackfileError: Compose does not accept it, or x-stackctl is wrong.
    """
    project = context.orchestrator.resolve(doc.text)
    loaded = Loaded(doc, project, read_stack(doc, project), before)
    refuse_unknown_proxy(context, doc, loaded.stack.proxy.kind)
    _refuse_unreachable(loaded)
    return loaded


def refuse_unknown_proxy(context: Context, doc: Document, kind: str) -> None:
    """Refuse a key ``proxy`` that names no proxy of the registry.

    Raises:
        StackfileError: with the names that there are.
    """
    if kind not in context.proxies:
        raise StackfileError(
            f"there is no proxy {kind!r}",
            where=doc.where_of((KEY, "proxy")),
            hint=f"write one of: {', '.join(context.proxies)}",
        )


def _refuse_unreachable(loaded: Loaded) -> None:
    """An app on no network of the proxy's can only answer 502: say so before it does."""
    proxy = loaded.project.services[loaded.stack.proxy.service]
    for name in dict.fromkeys(name for site in loaded.stack.sites for name in site.services):
        service = loaded.project.services.get(name)
        if service is not None and not service.networks & proxy.networks:
            if service.networks:
                key = "networks"
                hint = f"give {service.name} the network 'default' too, or {proxy.name} one of its networks"
            else:  # Compose allows none beside a network_mode
                key = "network_mode"
                hint = "take its network_mode away, or route the site in x-stackctl.apps by an upstream"
            raise StackfileError(
                f"the service {service.name} is on no network of the {proxy.name} service, which could not reach it",
                where=loaded.doc.where_of(("services", service.name, key)),
                hint=hint,
            )


def converge(context: Context, command: str, loaded: Loaded, intent: Intent, *, dry_run: bool = False) -> Result[None]:
    """Turn what is into what ``loaded`` says, as far as ``wish`` goes, and record what it came to."""
    stack = loaded.stack
    observed = observe(context, stack, loaded.project, intent.focused(stack.sites), loaded.before)
    custom = observed.custom if intent.custom is None else intent.custom
    proxy = context.proxy_of(stack)
    rendering = Rendering(proxy, observed.version, custom)
    plan = make_plan(stack, loaded.doc.text, intent, observed, rendering, context.issuers)
    result = Result(command, None, plan, dry_run=dry_run)
    if dry_run:
        return replace(result, diffs=plan_diffs(plan, observed, proxy))
    if plan:
        _refuse_taken_ports(context, stack, observed, plan)
    # Going back decides by the history where to: nothing comes between it and its last entry.
    unrecorded = record_found(context, stack, observed) if intent.custom is None else None
    if plan:
        result = replace(result, steps=tuple(Executor(context, stack, observed).run(plan)))
    if not result.errors:
        unrecorded = record_change(context, loaded.doc.text, stack, intent, observed, result.steps) or unrecorded
    return replace(result, notes=(unrecorded,)) if unrecorded else result


def _refuse_taken_ports(context: Context, stack: Stack, observed: Observed, plan: Plan) -> None:
    """A port that is taken is named before anything is written."""
    starts = any(isinstance(operation, StartProxy) for operation in plan.operations)
    # The stack's own proxy makes room for its successor, under whatever name it ran.
    own = any(c.running and c.role == "proxy" for c in observed.containers)
    if not starts or own or observed.containers.is_running(stack.proxy.service):
        return
    for at in (listener.at for listener in stack.proxy.listeners):
        owner = context.wire.owner(at)
        if owner:
            holder = context.containers.publisher(at) or owner
            raise HostError(
                f"port {at} cannot be published: it is held by {holder}",
                hint="stop that, or choose others with 'stackctl init --http PORT --https PORT'",
            )
