"""``stackctl rollback``: restores an earlier state by the same plan, test, publish and verify as any change.

The history alone determines the target, and gets its new entry at the end. Therefore a repeated run after an
interruption has the same target, however much of the old state is already on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from stackctl.engine.context import Context
from stackctl.errors import InputError, StackctlError, StackfileError
from stackctl.model.history import HistoryEntry
from stackctl.plan.intent import Intent
from stackctl.proxies.proxy import ProxyLayout
from stackctl.proxies.registry import DEFAULT
from stackctl.stackfile.document import Document
from stackctl.stackfile.locate import refuse_foreign_keys
from stackctl.stackfile.read import read_keys
from stackctl.usecases.adopt.take_over import UndoReport, undo_adoption
from stackctl.usecases.converge import converge, interpolated, load, open_document
from stackctl.usecases.pages import pages_on_disk
from stackctl.usecases.recording import files_of, record_undo, record_unknown
from stackctl.usecases.refresh import refreshed
from stackctl.usecases.result import Result
from stackctl.wording import moment


@dataclass(frozen=True, slots=True)
class RollbackReport:
    """The history entry that was restored."""

    entry: int


def rollback(
    context: Context, number: int | None = None, *, issue: bool = True, ledger: bool = True, dry_run: bool = False
) -> Result[RollbackReport | UndoReport]:
    """Restore the Compose file and the custom files of history entry ``number``, and converge.

    Without a number, restore the state before the last change; if files were edited since, restore the state
    after the last change. Such edits are recorded before they are replaced.

    Raises:
        InputError: the entry does not exist, or there is no earlier state.
        StackfileError: Compose no longer accepts that file.
    """
    refuse_foreign_keys(context.directory.files)
    entries = context.directory.history.entries()
    if not entries:
        open_document(context)
        raise InputError(
            f"the history of {context.directory.root} is empty",
            hint="the first change made with stackctl adds an entry",
        )
    layout = _layout_now(context)
    now = _files_now(context, layout)
    known = _known(context, entries, now)
    entry = (
        context.directory.history.entry(number) if number is not None else _before(context, entries, edited=not known)
    )
    notes = [f"rolling back to entry {entry.number} of {moment(entry.at)}: {entry.command}"]
    if not known and not dry_run:
        notes += record_unknown(context, layout, now)
    files = context.directory.history.files(entry.number)
    if entry.kind == "foreign":
        undone = undo_adoption(context, entry, dry_run=dry_run)
        unrecorded = None if dry_run else record_undo(context, entry, files)
        return replace(undone, notes=(*notes, *undone.notes, *([unrecorded] if unrecorded else [])))
    text = files.get(entry.file)
    if text is None:
        raise InputError(
            f"entry {entry.number} is damaged: {entry.file} is missing",
            hint="choose another entry of 'stackctl history'",
        )
    doc = refreshed(context, _parsed(context, entry, text))
    there = now.get(context.directory.main_path)
    loaded = load(context, doc, None if there is None else there.decode(), files)
    custom = _custom(files, context.proxy_of(loaded.stack).layout)
    restored = loaded.stack.pages
    lineages = frozenset(entry.lineages)
    intent = Intent(issue=issue, ledger=ledger, custom=custom, pages=restored, recorded_lineages=lineages)
    result = converge(context, "rollback", loaded, intent, dry_run=dry_run)
    return replace(result, notes=(*notes, *result.notes)).carrying(RollbackReport(entry.number))


def _layout_now(context: Context) -> ProxyLayout:
    """Return the layout of the proxy in the Compose file on disk, or of the default if that cannot be read."""
    kind = DEFAULT
    with suppress(StackctlError):
        kind = read_keys(interpolated(context, open_document(context))).proxy
    return context.proxies.get(kind, context.proxies[DEFAULT]).layout


def _files_now(context: Context, layout: ProxyLayout) -> dict[str, bytes]:
    text = context.directory.stackfile()
    pages = pages_on_disk(context, text or "")
    files = files_of(context, layout, text or "", context.directory.custom(layout), pages)
    if text is None:
        del files[context.directory.main_path]
    return files


def _known(context: Context, entries: list[HistoryEntry], now: Mapping[str, bytes]) -> bool:
    """Return whether every file on disk is in some entry; an interrupted run leaves files of two entries."""
    left = dict(now)
    for entry in reversed(entries):
        files = context.directory.history.files(entry.number)
        left = {path: content for path, content in left.items() if files.get(path) != content}
    return not left and context.directory.main_path in now


def _before(context: Context, entries: list[HistoryEntry], *, edited: bool) -> HistoryEntry:
    """Return the state before the last change: the newest entry whose files differ from the last.

    A deploy that failed is no state to go back to.
    """
    *earlier, last = entries
    if edited and last.kind != "failed":
        return last
    files = context.directory.history.files
    there = files(last.number)
    for entry in reversed(earlier):
        if files(entry.number) != there and entry.kind != "failed":
            return entry
    raise InputError(
        "there is no earlier state to roll back to", hint="list the recorded states with 'stackctl history'"
    )


def _custom(files: Mapping[str, bytes], layout: ProxyLayout) -> dict[str, bytes]:
    prefix = f"{layout.custom}/"
    return {path.removeprefix(prefix): content for path, content in files.items() if path.startswith(prefix)}


def _parsed(context: Context, entry: HistoryEntry, text: bytes) -> Document:
    try:
        return Document.parse(text.decode(), context.directory.files.name)
    except (UnicodeDecodeError, StackctlError) as error:
        raise StackfileError(f"the file of entry {entry.number} cannot be read: {error}") from error
