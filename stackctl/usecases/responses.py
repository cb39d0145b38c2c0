"""Counts the responses of each site by the class of their status, from the log of the proxy."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from stackctl.adapters.disk.files import host_errors, make_folder, read_or_none, write_whole
from stackctl.engine.context import Context
from stackctl.errors import StackctlError
from stackctl.model.layout import DIRECTORIES, RESPONSES, STATE
from stackctl.model.stack import Stack
from stackctl.usecases.logs import Line, Query, lines_of

Counts = Mapping[tuple[str, str], int]
"""The responses of a site, by its name and the class of their status, such as ``5xx``."""

_LATE = timedelta(seconds=3)
"""How long after a response its line may come: the proxy writes what it has gathered for a second."""

_MOST = timedelta(hours=1)
"""What is older is not counted: who asks once a day does not want to wait for the lines of a day."""


def responses(context: Context, stack: Stack) -> Counts:
    """Return how many responses there were since this was first asked; the numbers only grow.

    Of two that ask at the same time, the one that is done last returns what the other has counted.
    """
    end = context.now().replace(microsecond=0) - _LATE
    until, before = _stored(context)
    begin = end if until is None else max(until, end - _MOST)
    if until is not None and begin >= end:
        return before
    try:
        since = int((context.now() - begin).total_seconds()) + 1
        query = Query(requests=True, since=since)
        found = counted(lines_of(context, stack, query), begin, end) if begin < end else Counter[tuple[str, str]]()
        stored, since_then = _stored(context)
        if stored != until:
            return since_then
        counts = Counter(before) + found
        _store(context, end, counts)
    except StackctlError:
        return before  # the next time they are counted too
    return counts


def counted(lines: Iterable[Line], begin: datetime, end: datetime) -> Counter[tuple[str, str]]:
    """Return the numbers of the responses from ``begin`` on and before ``end``, for sites of the stack alone."""
    found: Counter[tuple[str, str]] = Counter()
    for one in lines:
        request = one.request
        if request is None or one.site is None or not begin <= request.time < end:
            continue
        if 100 <= request.status < 600:
            found[str(one.site), f"{request.status // 100}xx"] += 1
    return found


def _stored(context: Context) -> tuple[datetime | None, Counts]:
    try:
        with host_errors():
            found = json.loads(read_or_none(context.directory.root / RESPONSES) or b"")
        counts = {(str(site), str(kind)): int(number) for site, kind, number in found["counts"]}
        return datetime.fromtimestamp(found["until"], UTC), counts
    except (ValueError, TypeError, KeyError, OverflowError, StackctlError):
        return None, {}


def _store(context: Context, until: datetime, counts: Counts) -> None:
    rows = [[site, kind, number] for (site, kind), number in sorted(counts.items())]
    content = json.dumps({"until": until.timestamp(), "counts": rows}).encode()
    with host_errors():
        make_folder(context.directory.root / STATE, DIRECTORIES[STATE])
        write_whole(context.directory.root / RESPONSES, content, 0o600)
