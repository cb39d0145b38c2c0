"""Recognizes a Compose file that has lost ``x-stackctl``, as one has that another program wrote anew."""

from __future__ import annotations

import re
from collections.abc import Collection

from stackctl.engine.context import Context
from stackctl.errors import StackfileError
from stackctl.model.values import Domain
from stackctl.stackfile.keys import KEY
from stackctl.wording import listed

_HAS_KEY = re.compile(rf"^[^#\n]*{KEY}[\"']?[ \t]*:", re.MULTILINE)
"""Not in a comment; the whole file need not be parsed for it."""


def refuse_lost(context: Context, before: str | None, served: Collection[Domain]) -> None:
    """Refuse to end all sites because the file on disk, ``before``, says nothing of any: that is not meant.

    Raises:
        StackfileError: with the entry of the history that has the key.
    """
    if before is None or not served or _HAS_KEY.search(before):
        return
    history = context.directory.history
    texts = ((entry, history.files(entry.number).get(entry.file, b"")) for entry in reversed(history.entries()))
    last = next((entry for entry, text in texts if _HAS_KEY.search(text.decode("utf-8", "replace"))), None)
    back = f"'stackctl rollback {last.number}' restores the file with it" if last else "restore it from a copy"
    names = listed(sorted(map(str, served)))
    raise StackfileError(
        f"there is no {KEY} any more, though {names} {'is' if len(served) == 1 else 'are'} served",
        where=context.directory.files.name,
        hint=f"{back}; 'stackctl adopt' makes a new one from what is served; to serve none of them on purpose, write"
        f" '{KEY}: {{}}'",
    )
