"""``stackctl rollback``: a state the stack was in once, by the same plan, test, publish and verify as any change.

Where to go back to is decided by the history alone, which gets its new entry when all is done. So a run that
was cut short, repeated, goes to the same place, however much of the old state is on disk already.
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
from stackctl.usecases.adopt.take_over import GivenBack, undo_adoption
from stackctl.usecases.converge import converge, load, open_document
from stackctl.usecases.recording import files_of, record_given_back, record_unknown
from stackctl.usecases.result import Result
from stackctl.wording import moment


@dataclass(frozen=True, slots=True)
class RollbackReport:
    """The entry of the history that the stack went back to."""

    entry: int


def rollback(
    context: Context, number: int | None = None, *, issue: bool = True, ledger: bool = True, dry_run: bool = False
) -> Result[RollbackReport | GivenBack]:
    """Put the Compose file and ``nginx/custom`` back as entry ``number`` of the history has them, and converge.

    Without a number: as they were before the last change; or, where something was edited since that is in
    no entry, as the last change left them. Such an edit is recorded before it is replaced.

    Raises:
        InputError: there is no such entry, or none to go back to.
        StackfileError: Compose does not accept that file any more.
    """
    refuse_foreign_keys(context.directory.files)
    entries = context.directory.history.entries()
    if not entries:
        open_document(context)
        raise InputError(
            f"the history of {context.directory.root} is empty",
            hint="it begins with the first change that is made here",
        )
    layout = _layout_now(context)
    now = _files_now(context, layout)
    known = _known(context, entries, now)
    entry = (
        context.directory.history.entry(number) if number is not None else _before(context, entries, edited=not known)
    )
    notes = [f"back to entry {entry.number}, of {moment(entry.at)}: {entry.command}"]
    if not known and not dry_run:
        notes += record_unknown(context, layout, now)
    files = context.directory.history.files(entry.number)
    if entry.kind == "foreign":
        given_back = undo_adoption(context, entry, dry_run=dry_run)
        unrecorded = None if dry_run else record_given_back(context, entry, files)
        return replace(given_back, notes=(*notes, *given_back.notes, *([unrecorded] if unrecorded else [])))
    text = files.get(entry.file)
    if text is None:
        raise InputError(f"entry {entry.number} is damaged: it has no {entry.file}", hint="see 'stackctl history'")
    doc = _parsed(context, entry, text)
    there = now.get(context.directory.main_path)
    loaded = load(context, doc, None if there is None else there.decode())
    custom = _custom(files, context.proxy_of(loaded.stack).layout)
    intent = Intent(issue=issue, ledger=ledger, custom=custom, recorded_lineages=frozenset(entry.lineages))
    result = converge(context, "rollback", loaded, intent, dry_run=dry_run)
    return replace(result, notes=(*notes, *result.notes)).carrying(RollbackReport(entry.number))


def _layout_now(context: Context) -> ProxyLayout:
    """The layout of the proxy that the file on disk names; the default's where it cannot be read."""
    kind = DEFAULT
    with suppress(StackctlError):
        kind = read_keys(open_document(context)).proxy
    return context.proxies.get(kind, context.proxies[DEFAULT]).layout


def _files_now(context: Context, layout: ProxyLayout) -> dict[str, bytes]:
    text = context.directory.stackfile()
    files = files_of(context, layout, text or "", context.directory.custom(layout))
    if text is None:
        del files[context.directory.main_path]
    return files


def _known(context: Context, entries: list[HistoryEntry], now: Mapping[str, bytes]) -> bool:
    """Whether everything on disk is in some entry: a mixture of two is what a run that was cut short leaves."""
    left = dict(now)
    for entry in reversed(entries):
        files = context.directory.history.files(entry.number)
        left = {path: content for path, content in left.items() if files.get(path) != content}
    return not left and context.directory.main_path in now


def _before(context: Context, entries: list[HistoryEntry], *, edited: bool) -> HistoryEntry:
    """The state before the last change: the newest entry with other files than the last."""
    *earlier, last = entries
    if edited:
        return last
    files = context.directory.history.files
    there = files(last.number)
    for entry in reversed(earlier):
        if files(entry.number) != there:
            return entry
    raise InputError(
        "there is no state before this one to go back to", hint="see 'stackctl history' for the states there are"
    )


def _custom(files: Mapping[str, bytes], layout: ProxyLayout) -> dict[str, bytes]:
    prefix = f"{layout.custom}/"
    return {path.removeprefix(prefix): content for path, content in files.items() if path.startswith(prefix)}


def _parsed(context: Context, entry: HistoryEntry, text: bytes) -> Document:
    try:
        return Document.parse(text.decode(), context.directory.files.main.name)
    except (UnicodeDecodeError, StackctlError) as error:
        raise StackfileError(f"the file of entry {entry.number} cannot be read: {error}") from error
