"""Counts the requests of each site by minute, for the last hour."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

MINUTES = 60
_ERROR = 500


@dataclass(slots=True)
class Minute:
    """The requests that ended in one minute, and those of them that the server answered with an error."""

    requests: int = 0
    errors: int = 0


@dataclass(slots=True)
class Traffic:
    """The requests by site; ``since`` is the time of the oldest that was seen, None if there was none.

    A client cannot make it grow: requests are counted by configured names.
    """

    since: datetime | None = None
    _sites: defaultdict[str, dict[int, Minute]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, site: str, at: datetime, status: int) -> None:
        """Count a request."""
        if self.since is None or at < self.since:
            self.since = at
        minutes = self._sites[site]
        minute = minutes.setdefault(_minute(at), Minute())
        minute.requests += 1
        minute.errors += status >= _ERROR or status == 0
        if len(minutes) > MINUTES:
            minutes.pop(min(minutes))

    def of(self, site: str, now: datetime) -> list[Minute]:
        """Return the minutes of the last hour, the oldest first."""
        last, minutes = _minute(now), self._sites.get(site, {})
        return [minutes.get(number, Minute()) for number in range(last - MINUTES + 1, last + 1)]

    def covers(self, now: datetime) -> int:
        """Return for how many of the last minutes requests were seen."""
        if self.since is None:
            return 0
        return min(MINUTES, int((now - self.since) / timedelta(minutes=1)) + 1)


def _minute(at: datetime) -> int:
    return int(at.timestamp()) // 60
