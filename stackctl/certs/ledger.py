"""What was asked of a CA, and what came of it: so that a refusal is known before it is spent."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

from stackctl.certs.limits import BACKOFF, LIMITS, Bucket, Limit

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

KEPT = timedelta(days=8)
"""Nothing older counts against any limit."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One order.

    Attributes:
        names: the names asked for, sorted.
        issued: whether a certificate came of it.
        renewal: whether the same names had been issued before.
    """

    at: datetime
    directory: str
    names: tuple[str, ...]
    issued: bool
    renewal: bool = False

    def line(self) -> str:
        """The entry as a line of the ledger."""
        body = {"at": self.at.isoformat(), "ca": self.directory, "names": self.names}
        return json.dumps({**body, "issued": self.issued, "renewal": self.renewal})


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the CA would refuse, and from when on it would not."""

    reason: str
    until: datetime


@dataclass(frozen=True, slots=True)
class Ledger:
    """The entries of one stack, oldest first."""

    entries: tuple[Entry, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Ledger:
        """Read the ledger's lines; a line cut short by a crash is left out."""
        return cls(tuple(entry for line in text.splitlines() if (entry := _entry(line)) is not None))

    def refusal(self, directory: str, names: Sequence[str], now: datetime) -> Refusal | None:
        """Why a certificate for ``names`` would not be issued now, or None.

        The account's order limit is not looked at: that one is paced (:meth:`free_orders`).
        """
        limits = LIMITS.get(directory)
        if limits is None:
            return None
        wanted = tuple(sorted(names))
        own = [entry for entry in self.entries if entry.directory == directory]
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
        """Why an unattended run should not ask again yet: the failures in a row so far."""
        wanted = tuple(sorted(names))
        row: list[datetime] = []
        for entry in self.entries:
            if entry.names == wanted:
                row = [] if entry.issued else [*row, entry.at]
        if not row:
            return None
        until = row[-1] + BACKOFF[min(len(row), len(BACKOFF)) - 1]
        often = "once" if len(row) == 1 else f"{len(row)} times in a row"
        return Refusal(f"it failed {often}, and an unattended run waits", until) if until > now else None

    def free_orders(self, directory: str, now: datetime) -> int | None:
        """How many orders the account may place now; None where the CA has no such limit."""
        limit = LIMITS.get(directory, {}).get(Bucket.ORDERS)
        if limit is None:
            return None
        return _free(limit, [entry.at for entry in self.entries if entry.directory == directory], now)

    def was_issued(self, directory: str, names: Sequence[str]) -> bool:
        """Whether the CA has issued for exactly these names."""
        wanted = tuple(sorted(names))
        return any(e.issued and e.names == wanted and e.directory == directory for e in self.entries)

    def since(self, moment: datetime) -> Ledger:
        """The entries that are not older than ``moment``."""
        return Ledger(tuple(entry for entry in self.entries if entry.at >= moment))


def registered_domain(name: str) -> str:
    """The domain that was registered, by the Public Suffix List: ``example.co.uk`` of ``www.example.co.uk``."""
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
    """When the bucket is full again, by the generic cell rate algorithm, in which the CA counts."""
    full = min([now, *times])
    for at in sorted(times):
        full = max(full, at) + limit.refill
    return max(full, now)


def _next(limit: Limit, times: Sequence[datetime], now: datetime) -> datetime:
    """When the bucket has room for one more."""
    return max(now, _full_again(limit, times, now) - limit.refill * (limit.count - 1))


def _free(limit: Limit, times: Sequence[datetime], now: datetime) -> int:
    used = -((now - _full_again(limit, times, now)) // limit.refill)
    return max(0, limit.count - used)


def _entry(line: str) -> Entry | None:
    try:
        body = json.loads(line)
        at = datetime.fromisoformat(body["at"])
        return Entry(at, str(body["ca"]), tuple(body["names"]), bool(body["issued"]), bool(body["renewal"]))
    except (ValueError, KeyError, TypeError):
        return None
