"""``stackctl set`` and ``unset``: change single keys of a site."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stackctl.engine.context import Context
from stackctl.errors import InputError, StackfileError
from stackctl.model.values import Domain
from stackctl.plan.intent import Intent
from stackctl.stackfile import settings
from stackctl.stackfile.document import Document, Path
from stackctl.stackfile.settings import Change, block_of
from stackctl.usecases.converge import Loaded, converge, load, load_current
from stackctl.usecases.result import Result


def set_keys(  # noqa: PLR0913  (what the certificates of other names need)
    context: Context,
    command: str,
    domain: Domain,
    changes: Sequence[Change],
    *,
    issue: bool = True,
    check: bool = True,
    dry_run: bool = False,
) -> Result[None]:
    """Change keys of the site ``domain`` in the Compose file, and apply them.

    Raises:
        InputError: no site has the name, a key or a value is wrong; nothing was changed.
    """
    _refuse_twice(changes)
    loaded = load_current(context)
    site = loaded.site(domain)
    block = block_of(loaded.values, site)
    absent = [one for one in changes if one.value is None and loaded.doc.entry((*block, *one.steps)) is None]
    doc = loaded.doc
    for change in changes:
        doc = settings.changed(doc, block, change)
    after = _loaded(context, loaded, doc, block, changes)
    where = doc.where_of(block)
    focus = frozenset(one.name for one in after.stack.sites if one.where == where)
    intent = Intent(focus=focus, issue=issue, check=check, strict=True)
    result = converge(context, command, after, intent, dry_run=dry_run)
    return replace(result, notes=(*result.notes, *(f"{site.name} does not set {one.key}" for one in absent)))


def _refuse_twice(changes: Sequence[Change]) -> None:
    keys = [change.key for change in changes]
    for change in changes:
        if keys.count(change.key) > 1:
            raise InputError(f"{change.key} is given twice", where=str(change))


def _loaded(context: Context, loaded: Loaded, doc: Document, block: Path, changes: Sequence[Change]) -> Loaded:
    """Load ``doc``; an error in a line of one of ``changes`` names the change, as the line was never written.

    Raises:
        InputError: a changed key is wrong.
        StackfileError: something else is.
    """
    try:
        return load(context, doc, loaded.before)
    except StackfileError as error:
        for change in changes:
            if error.where is not None and error.where in settings.places_of(doc, block, change):
                raise InputError(error.message, where=str(change), hint=error.hint) from error
        raise
