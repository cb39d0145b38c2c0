"""Writes down the states a stack was in, so that 'stackctl rollback' can go back to one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from stackctl.engine.apply.execute import Step
from stackctl.engine.context import Context
from stackctl.errors import StackctlError
from stackctl.model.history import HistoryEntry
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.intent import Intent
from stackctl.plan.operations import Issue, Publish, WriteStackfile
from stackctl.proxies.proxy import ProxyLayout

_RESTORABLE = (WriteStackfile, Publish)
"""Operations after which there is another state to go back to."""


def files_of(context: Context, layout: ProxyLayout, stackfile: str, custom: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return what an entry keeps: the files that users write, by their paths relative to the stack's directory."""
    own = {f"{layout.custom}/{name}": content for name, content in custom.items()}
    return {context.directory.main_path: stackfile.encode(), **own}


def record_found(context: Context, stack: Stack, observed: Observed) -> str | None:
    """Write the state down that a run which was cut short, or failed, has left unrecorded.

    It is told by the live generation: the last entry names another. Returns what a person should know
    where it cannot be written: that is no reason to hold a change up.
    """
    if observed.stackfile is None or observed.published is None:
        return None
    history = context.directory.history
    try:
        last = history.last()
        if last is not None and last.generation == observed.published:
            return None
        files = files_of(context, context.proxy_of(stack).layout, observed.stackfile, observed.custom)
        recorded = {} if last is None else history.files(last.number)
        changes = tuple(f"{path} was not recorded yet" for path in files if files[path] != recorded.get(path))
        lineages = _fingerprints(context, stack, observed, ())
        path = context.directory.main_path
        entry = HistoryEntry(context.now(), context.command, "found", changes, observed.published, lineages, path)
        history.record(entry, files)
    except StackctlError as error:
        return _unrecorded(error)
    return None


def record_unknown(context: Context, layout: ProxyLayout, files: Mapping[str, bytes]) -> list[str]:
    """Write down what is on disk and in no entry, before it is replaced: nothing a person wrote is lost.

    Returns what a person should know.

    Raises:
        HostError: it cannot be written; then it must not be replaced.
    """
    path = context.directory.main_path
    generation = context.delivery(layout).published()
    changes = ("edited, and not recorded yet",)
    entry = HistoryEntry(context.now(), context.command, "found", changes, generation, {}, path)
    made = context.directory.history.record(entry, files)
    return [f"what was on disk, and recorded nowhere, is entry {made.number} now"]


def record_given_back(context: Context, entry: HistoryEntry, files: Mapping[str, bytes]) -> str | None:
    """Write down that the stack is again as ``entry``, from before stackctl, so that this can be taken back too.

    Returns what a person should know where it cannot be written.
    """
    history = context.directory.history
    try:
        last = history.last()
        if last is None or last.kind != entry.kind or history.files(last.number) != files:
            changes = (f"the old stack of entry {entry.number} was put back",)
            history.record(replace(entry, at=context.now(), command=context.command, changes=changes), files)
    except StackctlError as error:
        return _unrecorded(error)
    return None


def record_change(  # noqa: PLR0913  (the state, and how it was reached)
    context: Context, stackfile: str, stack: Stack, intent: Intent, observed: Observed, steps: Sequence[Step]
) -> str | None:
    """Write the state down that a command has just reached; nothing where the last entry says the same.

    Returns what a person should know where it cannot be written.
    """
    if intent.focus is not None and not any(isinstance(step.operation, _RESTORABLE) for step in steps):
        return None  # it is about some apps only: what else differs, it did not bring about
    history = context.directory.history
    try:
        layout = context.proxy_of(stack).layout
        generation = context.delivery(layout).published()
        custom = observed.custom if intent.custom is None else intent.custom
        files = files_of(context, layout, stackfile, custom)
        last = history.last()
        if last is not None and last.generation == generation and history.files(last.number) == files:
            return None
        changes = tuple(step.operation.text for step in steps if step.status == "done")
        lineages = _fingerprints(context, stack, observed, steps)
        path = context.directory.main_path
        history.record(
            HistoryEntry(context.now(), context.command, "change", changes, generation, lineages, path), files
        )
    except StackctlError as error:
        return _unrecorded(error)
    return None


def _fingerprints(context: Context, stack: Stack, observed: Observed, steps: Sequence[Step]) -> dict[str, str]:
    """The certificates of the stack's sites; those just issued are read again, the others are known."""
    lineages = dict(observed.shelf.lineages)
    for step in steps:
        if isinstance(step.operation, Issue):
            name = step.operation.request.lineage
            lineages[name] = context.directory.lineage(name)
    mine = {site.lineage: lineages[site.lineage] for site in stack.sites if site.lineage in lineages}
    return {name: one.certificate.fingerprint for name, one in mine.items() if one.usable and one.certificate}


def _unrecorded(error: StackctlError) -> str:
    return f"the history has no entry of this: {error}"
