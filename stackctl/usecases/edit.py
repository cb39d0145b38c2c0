"""``stackctl edit``: plans the user's edit of the Compose file before writing it."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.engine.context import Context
from stackctl.errors import HostError
from stackctl.plan.intent import Intent
from stackctl.stackfile.document import Document
from stackctl.stackfile.locate import refuse_foreign_keys
from stackctl.stackfile.siblings import included
from stackctl.usecases.converge import converge, load, no_stack
from stackctl.usecases.result import Result


@dataclass(frozen=True, slots=True)
class EditReport:
    """Whether the file was edited."""

    edited: bool


def text_to_edit(context: Context) -> str:
    """Return the text of the Compose file, valid or not.

    Raises:
        InputError: the directory has no Compose file.
    """
    text = context.directory.stackfile()
    if text is None:
        raise no_stack(context)
    return text


def plan_edit(context: Context, text: str, *, issue: bool = True) -> Result[EditReport]:
    """Plan what 'up' would do with ``text`` as the Compose file; nothing is changed.

    Raises:
        StackfileError: ``text`` is invalid; the message begins with file and line.
    """
    return _converge(context, context.directory.stackfile(), text, issue=issue, dry_run=True)


def apply_edit(context: Context, before: str, text: str, *, issue: bool = True) -> Result[EditReport]:
    """Write ``text`` as the Compose file, and converge.

    Raises:
        HostError: the file no longer holds ``before``; nothing was changed.
    """
    if context.directory.stackfile() != before:
        raise HostError(
            "the file was modified by another program during the edit: nothing was changed",
            where=context.directory.files.name,
            hint="merge the two versions by hand, then run 'stackctl up'",
        )
    return _converge(context, before, text, issue=issue, dry_run=False)


def _converge(context: Context, before: str | None, text: str, *, issue: bool, dry_run: bool) -> Result[EditReport]:
    doc = Document.parse(text, context.directory.files.name)
    refuse_foreign_keys(context.directory.files, included(doc.data(("include",))))
    result = converge(context, "edit", load(context, doc, before), Intent(issue=issue), dry_run=dry_run)
    return result.carrying(EditReport(edited=True))
