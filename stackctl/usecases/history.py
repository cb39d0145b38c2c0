"""``stackctl history``: the states that can be gone back to, and what each changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from stackctl.engine.context import Context
from stackctl.plan.diff import file_diff
from stackctl.usecases.converge import open_document
from stackctl.usecases.result import Result


def history(context: Context) -> Result:
    """Every entry, the oldest first, with how its files differ from those of the entry before it.

    Raises:
        InputError: there is no stack here.
    """
    entries = context.directory.history.entries()
    if not entries:
        open_document(context)
    rows: list[dict[str, Any]] = []
    before: dict[str, bytes] = {}
    for entry in entries:
        files = context.directory.history.files(entry.number)
        rows.append(
            {
                "number": entry.number,
                "at": entry.at.isoformat(timespec="seconds"),
                "command": entry.command,
                "kind": entry.kind,
                "files": list(_changed(before, files)),
                "changes": list(entry.changes),
                "generation": entry.generation,
                "lineages": dict(entry.lineages),
            }
        )
        before = files
    return Result("history", data={"entries": rows})


def _changed(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[dict[str, Any]]:
    for path in sorted({**before, **after}):
        for diff in file_diff(path, before.get(path), after.get(path)):
            yield {"path": diff.path, "status": diff.status, "added": diff.added, "removed": diff.removed}
