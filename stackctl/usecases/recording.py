"""Records the states of a stack in its history, so that 'stackctl rollback' can restore one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from stackctl.engine.apply.execute import Step
from stackctl.engine.context import Context
from stackctl.errors import DeployFailed, StackctlError
from stackctl.model.history import HistoryEntry
from stackctl.model.stack import Stack
from stackctl.observed.state import Observed
from stackctl.plan.certificates import Issue
from stackctl.plan.deploy import ReplaceService, RetireContainers
from stackctl.plan.imports import RemoveImported, StoreImported
from stackctl.plan.intent import Intent
from stackctl.plan.operations import Publish, WriteStackfile
from stackctl.plan.retire import RetireLineage
from stackctl.proxies.proxy import ProxyLayout
from stackctl.stackfile.document import Document
from stackctl.stackfile.keys import KEY, has_variable
from stackctl.usecases.pages import pages_on_disk

_LASTING = (RetireLineage, StoreImported, RemoveImported)
"""Operations on certificates, which no file of an entry shows."""

_RESTORABLE = (WriteStackfile, Publish, RetireContainers, ReplaceService, *_LASTING)
"""Operations that produce a new state to roll back to, or that cannot be undone."""


def files_of(
    context: Context, layout: ProxyLayout, stackfile: str, custom: Mapping[str, bytes], pages: Mapping[str, bytes]
) -> dict[str, bytes]:
    """Return the files of a history entry: those that users write, by path relative to the stack's directory."""
    own = {f"{layout.custom}/{name}": content for name, content in custom.items()}
    return {context.directory.main_path: stackfile.encode(), **own, **pages}


def record_found(context: Context, stack: Stack, observed: Observed) -> str | None:
    """Record the state that an interrupted or failed run left unrecorded.

    Such a state is recognised by its live generation, which is not that of the last entry. Return a note for the
    user if the entry cannot be written: that does not stop a change.
    """
    if observed.stackfile is None or observed.published is None:
        return None
    history = context.directory.history
    try:
        last = history.last()
        if last is not None and last.generation == observed.published:
            return None
        layout, text = context.proxy_of(stack).layout, observed.stackfile
        files = files_of(context, layout, text, observed.custom, pages_on_disk(context, text))
        recorded = {} if last is None else history.files(last.number)
        changes = tuple(f"{path} was not recorded before" for path in files if files[path] != recorded.get(path))
        lineages = _fingerprints(context, stack, observed, ())
        path = context.directory.main_path
        entry = HistoryEntry(context.now(), context.command, "found", changes, observed.published, lineages, path)
        history.record(entry, files)
    except StackctlError as error:
        return _unrecorded(error)
    return None


def record_unknown(context: Context, layout: ProxyLayout, files: Mapping[str, bytes]) -> list[str]:
    """Record files on disk that no entry holds, before they are replaced, and return notes for the user.

    Raises:
        HostError: the entry cannot be written; the files must not be replaced.
    """
    path = context.directory.main_path
    generation = context.delivery(layout).published()
    changes = ("edited, not recorded before",)
    entry = HistoryEntry(context.now(), context.command, "found", changes, generation, {}, path)
    made = context.directory.history.record(entry, files)
    return [f"the files on disk were not recorded before: they are entry {made.number} now"]


def record_undo(context: Context, entry: HistoryEntry, files: Mapping[str, bytes]) -> str | None:
    """Record that the stack of ``entry``, from before stackctl, is restored, so that this can be rolled back too.

    Return a note for the user if the entry cannot be written.
    """
    history = context.directory.history
    try:
        last = history.last()
        if last is None or last.kind != entry.kind or history.files(last.number) != files:
            changes = (f"restored the old stack of entry {entry.number}",)
            history.record(replace(entry, at=context.now(), command=context.command, changes=changes), files)
    except StackctlError as error:
        return _unrecorded(error)
    return None


def record_change(  # noqa: PLR0913  (the state, and the steps that led to it)
    context: Context, stackfile: str, stack: Stack, intent: Intent, observed: Observed, steps: Sequence[Step]
) -> str | None:
    """Record the state that a command has reached, unless the last entry holds the same state.

    Return a note for the user if the entry cannot be written.
    """
    if intent.focus is not None and not any(isinstance(step.operation, _RESTORABLE) for step in steps):
        return None  # the command covers some apps only; it did not cause other differences
    history = context.directory.history
    try:
        layout = context.proxy_of(stack).layout
        generation = context.delivery(layout).published()
        custom = observed.custom if intent.custom is None else intent.custom
        files = files_of(context, layout, stackfile, custom, stack.pages)
        last = history.last()
        lasting = any(isinstance(step.operation, _LASTING) for step in steps)
        same = last is not None and last.generation == generation and history.files(last.number) == files
        if same and not lasting:
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


def record_failed(  # noqa: PLR0913  (as for record_change)
    context: Context, stackfile: str, stack: Stack, intent: Intent, observed: Observed, steps: Sequence[Step]
) -> str | None:
    """Record that a deploy failed, once for the same files: no rollback leads to such an entry by itself.

    Return a note for the user if the entry cannot be written.
    """
    failed = [step for step in steps if isinstance(step.error, DeployFailed)]
    history = context.directory.history
    try:
        layout = context.proxy_of(stack).layout
        custom = observed.custom if intent.custom is None else intent.custom
        files = files_of(context, layout, stackfile, custom, stack.pages)
        last = history.last()
        if last is not None and last.kind == "failed" and history.files(last.number) == files:
            return None
        changes = tuple(f"{step.operation.text}: {str(step.error).splitlines()[0]}" for step in failed)
        lineages = _fingerprints(context, stack, observed, steps)
        path, generation = context.directory.main_path, context.delivery(layout).published()
        history.record(
            HistoryEntry(context.now(), context.command, "failed", changes, generation, lineages, path), files
        )
    except StackctlError as error:
        return _unrecorded(error)
    return None


def contact_changed(context: Context, doc: Document) -> bool:
    """Return whether the address of the CA's account is another one than in the last state that was reached.

    The CA cannot be asked at every command, and some CAs do not tell. A variable's value is not recorded.
    """
    history = context.directory.history
    with suppress(StackctlError):
        last = next((one for one in reversed(history.entries()) if one.kind == "change"), None)
        text = None if last is None else history.files(last.number).get(last.file)
        if last is not None and text is not None:
            path = (KEY, "email")
            before = Document.parse(text.decode("utf-8", "replace"), last.file).data(path)
            return not has_variable(str(before)) and before != doc.data(path)
    return False


def _fingerprints(context: Context, stack: Stack, observed: Observed, steps: Sequence[Step]) -> dict[str, str]:
    """Return the fingerprints of the sites' certificates; those that were just issued are read again."""
    lineages = dict(observed.shelf.lineages)
    for step in steps:
        if isinstance(step.operation, Issue):
            name = step.operation.request.lineage
            lineages[name] = context.directory.lineage(name)
    names = map(replace(observed.shelf, lineages=lineages).name_of, stack.sites)
    mine = {name: lineages[name] for name in names if name in lineages}
    return {name: one.certificate.fingerprint for name, one in mine.items() if one.usable and one.certificate}


def _unrecorded(error: StackctlError) -> str:
    return f"this change is not recorded in the history: {error}"
