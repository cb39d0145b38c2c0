"""``stackctl logs top``: what the requests of a log have in common."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from stackctl.model.values import Domain
from stackctl.usecases.logs import Line

ROWS = 10
"""How many of each kind are returned."""

_MOST = 50_000
"""How many different paths, or clients, are counted at the same time: a scan asks for any number of them."""


@dataclass
class Counted:
    """The requests of a site for one path, or those of one client.

    Attributes:
        errors: those with a status of 500 or more.
        bytes: of all responses.
        seconds: of the slowest.
    """

    what: str
    requests: int = 0
    errors: int = 0
    bytes: int = 0
    seconds: float = 0.0

    def add(self, line: Line) -> None:
        """Count a request."""
        assert line.request is not None
        self.requests += 1
        self.errors += line.request.status >= 500
        self.bytes += line.request.bytes
        self.seconds = max(self.seconds, line.request.seconds or 0.0)


@dataclass(frozen=True, slots=True)
class Single:
    """One request."""

    time: datetime
    site: str
    path: str
    status: int
    seconds: float


@dataclass
class TopReport:
    """What is most frequent, largest and slowest.

    Attributes:
        statuses: how many requests have each class, such as ``2xx``.
        first: the time of the first request that was read; None if there was none.
    """

    requests: int = 0
    first: datetime | None = None
    last: datetime | None = None
    statuses: dict[str, int] = field(default_factory=dict)
    paths: list[Counted] = field(default_factory=list)
    clients: list[Counted] = field(default_factory=list)
    errors: list[Counted] = field(default_factory=list)
    sizes: list[Counted] = field(default_factory=list)
    slowest: list[Single] = field(default_factory=list)


class _Counter:
    """Counts by a key, and forgets the rarest keys before there are too many."""

    def __init__(self) -> None:
        self._found: dict[str, Counted] = {}

    def add(self, key: str, line: Line) -> None:
        if len(self._found) >= _MOST and key not in self._found:
            kept = heapq.nlargest(_MOST // 2, self._found.values(), key=lambda one: one.requests)
            self._found = {one.what: one for one in kept}
        self._found.setdefault(key, Counted(key)).add(line)

    def most(self, by: str) -> list[Counted]:
        found = heapq.nlargest(ROWS, self._found.values(), key=lambda one: getattr(one, by))
        return [one for one in found if getattr(one, by)]


def top(lines: Iterable[Line]) -> TopReport:
    """Return what the requests in ``lines`` have in common; of a site's paths without their queries."""
    report, paths, clients = TopReport(), _Counter(), _Counter()
    slowest: list[tuple[float, int, Single]] = []
    for line in lines:
        request = line.request
        if request is None:
            continue
        report.requests += 1
        report.first, report.last = report.first or request.time, request.time
        kind = f"{request.status // 100}xx" if request.status else "none"
        report.statuses[kind] = report.statuses.get(kind, 0) + 1
        where = line.site or Domain(request.host or "-")
        paths.add(f"{where}{request.path}", line)
        clients.add(request.client, line)
        taken = request.seconds or 0.0
        one = (taken, report.requests, Single(request.time, where, request.path, request.status, taken))
        if len(slowest) < ROWS:
            heapq.heappush(slowest, one)
        else:
            heapq.heappushpop(slowest, one)
    report.statuses = dict(sorted(report.statuses.items()))
    report.paths, report.clients = paths.most("requests"), clients.most("requests")
    report.errors, report.sizes = paths.most("errors"), paths.most("bytes")
    report.slowest = [single for _, _, single in sorted(slowest, reverse=True) if single.seconds]
    return report
