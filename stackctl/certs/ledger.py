"""Record the orders placed at a CA and their results, so that a refusal is predicted before it costs an order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from stackctl.certs.limits import BACKOFF, LIMITS, Bucket, Limit
from stackctl.times import believable, read_time

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

KEPT = timedelta(days=8)
"""Entries older than this count against no limit."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One order.

    Attributes:
        names: the names in the order, sorted.
        issued: whether the CA issued a certificate.
        renewal: whether a certificate for the same names was issued before.
    """

    at: datetime
    directory: str
    names: tuple[str, ...]
    issued: bool
    renewal: bool = False

    def line(self) -> str:
        """Return the entry as a line of the ledger."""
        body = {"at": self.at.isoformat(), "ca": self.directory, "names": self.names}
        return json.dumps({**body, "issued": self.issued, "renewal": self.renewal})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the CA would refuse an order, and until when."""

    reason: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Ledger:
    """The entries of one stack, oldest first.

    An entry from the future counts nowhere: a wrong clock recorded it, and it would hold requests back until then.
    """

    entries: tuple[Entry, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Ledger:
        """Read the ledger's lines; a line truncated by a crash is skipped."""
        return cls(tuple(entry for line in text.splitlines() if (entry := _entry(line)) is not None))

    def refusal(self, directory: str, names: Sequence[str], now: datetime) -> Refusal | None:
        """Return why a certificate for ``names`` would not be issued now, or None.

        The account's order limit is ignored here: orders are paced by :meth:`free_orders`.
        """
        limits = LIMITS.get(directory)
        if limits is None:
            return None
        wanted = tuple(sorted(names))
        own = [entry for entry in self._until(now) if entry.directory == directory]
        same = [entry.at for entry in own if entry.issued and entry.names == wanted]
        found = [_refused(Bucket.EXACT_SET, limits, same, now, ", ".join(wanted))]
        for name in wanted:
            failed = [entry.at for entry in own if not entry.issued and name in entry.names]
            found.append(_refused(Bucket.FAILURES, limits, failed, now, name))
        # Another certificate for the same names is a renewal, which this limit does not count.
        for registered in sorted({registered_domain(name) for name in wanted}) if not same else ():
            issued = [
                entry.at
                for entry in own
                if entry.issued
                and not entry.renewal
                and registered in {registered_domain(name) for name in entry.names}
            ]
            found.append(_refused(Bucket.DOMAIN, limits, issued, now, registered))
        return max((refusal for refusal in found if refusal), key=lambda refusal: refusal.until, default=None)

    def backoff(self, names: Sequence[str], now: datetime) -> Refusal | None:
        """Return why an unattended run must not retry yet, by the number of consecutive failures, or None."""
        wanted = tuple(sorted(names))
        row: list[datetime] = []
        for entry in self._until(now):
            if entry.names == wanted:
                row = [] if entry.issued else [*row, entry.at]
        if not row:
            return None
        until = row[-1] + BACKOFF[min(len(row), len(BACKOFF)) - 1]
        often = "once" if len(row) == 1 else f"{len(row)} times in a row"
        return (
            Refusal(f"it failed {often}, so an unattended run waits before the next attempt", until)
            if until > now
            else None
        )

    def free_orders(self, directory: str, now: datetime) -> int | None:
        """Return how many orders the account may place now; None if the CA has no such limit."""
        limit = LIMITS.get(directory, {}).get(Bucket.ORDERS)
        if limit is None:
            return None
        return _free(limit, [entry.at for entry in self._until(now) if entry.directory == directory], now)

    def was_issued(self, directory: str, names: Sequence[str]) -> bool:
        """Return whether the CA has issued a certificate for exactly these names."""
        wanted = tuple(sorted(names))
        return any(e.issued and e.names == wanted and e.directory == directory for e in self.entries)

    def between(self, oldest: datetime, now: datetime) -> Ledger:
        """Return the ledger without the entries older than ``oldest``, and without those from the future."""
        return Ledger(tuple(entry for entry in self._until(now) if entry.at >= oldest))

    def _until(self, now: datetime) -> list[Entry]:
        return [entry for entry in self.entries if believable(entry.at, now)]


def registered_domain(name: str) -> str:
    """Return the registered domain by the Public Suffix List: ``example.co.uk`` for ``www.example.co.uk``."""
    return _suffixes().privatesuffix(name) or name


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList  # noqa: PLC0415  (0.1 s, and only when something is issued)

    return PublicSuffixList()


def _refused(
    bucket: Bucket, limits: dict[Bucket, Limit], times: Sequence[datetime], now: datetime, what: str
) -> Refusal | None:
    limit = limits[bucket]
    until = _next(limit, times, now)
    if until <= now:
        return None
    return Refusal(f"{limit.count} {bucket.value} ({what}) are used up", until)


def _full_again(limit: Limit, times: Sequence[datetime], now: datetime) -> datetime:
    """Return when the bucket is full again, by the generic cell rate algorithm that the CA uses."""
    full = min([now, *times])
    for at in sorted(times):
        full = max(full, at) + limit.refill
    return max(full, now)


def _next(limit: Limit, times: Sequence[datetime], now: datetime) -> datetime:
    """Return when the bucket has room for one more."""
    return max(now, _full_again(limit, times, now) - limit.refill * (limit.count - 1))


def _free(limit: Limit, times: Sequence[datetime], now: datetime) -> int:
    used = -((now - _full_again(limit, times, now)) // limit.refill)
    return max(0, limit.count - used)


def _entry(line: str) -> Entry | None:
    try:
        body = json.loads(line)
        at = read_time(body["at"])
        return Entry(at, str(body["ca"]), tuple(body["names"]), bool(body["issued"]), bool(body["renewal"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
