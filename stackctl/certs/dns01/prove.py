"""Write the records of several challenges, wait until each server of their zones has them, and delete them."""

from __future__ import annotations

import fcntl
import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from stackctl.certs.dns01 import watch
from stackctl.certs.dns01.provider import Value, Writer
from stackctl.certs.dns01.settings import record_name, zone_for, zones
from stackctl.certs.dns01.zones import DnsProblem, Place, place_of

if TYPE_CHECKING:
    from collections.abc import Sequence

LOCKS = Path("/tmp/stackctl-dns")  # noqa: S108  (in the container, whose processes trust each other)


@dataclass(frozen=True)
class Challenge:
    """A name, and the value that its record must have; ``patience`` is how many seconds all servers may take."""

    domain: str
    value: Value
    writer: Writer
    place: Place
    patience: float


@dataclass
class Proof:
    """The records of one order."""

    _writers: dict[str, Writer] = field(default_factory=dict)
    _written: list[Challenge] = field(default_factory=list)
    _locks: list[int] = field(default_factory=list)

    def write(self, wanted: Sequence[tuple[str, Value]]) -> None:
        """Write all records, each a name and its value, and wait until each server of their zones has them.

        Raises:
            DnsProblem: one cannot be written or seen.
        """
        found = [self._challenge(domain, value) for domain, value in wanted]
        self._lock(sorted({one.place.record for one in found}))
        for one in found:
            self._written.append(one)
            one.writer.add(one.domain, one.place, one.value)
        for one in found:
            seen, took = watch.wait(one.place.zone, one.place.record, one.value.text, one.patience)
            if not seen.done:
                todo = f"see 'stackctl dns test {one.place.zone.name}'"
                raise DnsProblem(f"{one.domain}: {seen.missing()} after {took:.0f} s", todo)

    def _challenge(self, domain: str, value: Value) -> Challenge:
        zone = zone_for(domain, zones())
        # One writer for each zone: some providers know only from it which other values a record has.
        writer = self._writers.setdefault(zone["name"], Writer(zone))
        return Challenge(domain, value, writer, place_of(record_name(domain)), float(zone["patience"]))

    def _lock(self, records: list[str]) -> None:
        """Wait for other processes that use one of the records: some providers replace all of its values at once."""
        LOCKS.mkdir(mode=0o700, exist_ok=True)
        for record in records:
            path = LOCKS / hashlib.sha256(record.encode()).hexdigest()
            self._locks.append(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            fcntl.flock(self._locks[-1], fcntl.LOCK_EX)

    def delete(self) -> None:
        """Delete what was written, however often it is called; a record that cannot be deleted harms nobody."""
        while self._written:
            one = self._written.pop()
            one.writer.remove(one.domain, one.place, one.value)
        while self._locks:
            os.close(self._locks.pop())
