"""Ask every server of a zone for a record, until all give the same answer."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from stackctl.certs.dns01 import client
from stackctl.certs.dns01.client import Unanswered
from stackctl.certs.dns01.zones import Server, Zone

_AT_ONCE = 16
_PAUSES = (0.2, 0.3, 0.5, 1.0, 2.0, 3.0)
"""Seconds between two looks; the last one is repeated."""


@dataclass(frozen=True)
class Look:
    """What the servers of a zone answer at one moment.

    Attributes:
        right: the servers that answer as expected; ``old`` those of the zone that answer otherwise.
        lame: those that do not serve the zone, or do not answer, each with the reason.
    """

    right: tuple[Server, ...]
    old: tuple[Server, ...]
    lame: tuple[tuple[Server, str], ...]

    @property
    def done(self) -> bool:
        """Whether each server that serves the zone answers as expected, and at least one does."""
        return bool(self.right) and not self.old

    def missing(self) -> str:
        """Return which servers answer otherwise."""
        count = len(self.right) + len(self.old)
        if not count:
            return "no server of the zone answers"
        verb = "answers" if len(self.old) == 1 else "answer"
        shown = ", ".join(map(str, self.old))
        return f"{len(self.old)} of {count} servers still {verb} the old value: {shown}"


def look(zone: Zone, record: str, value: str, *, there: bool) -> Look:
    """Ask all servers of a zone at once whether ``value`` is a text of the record, or, if not ``there``, is none."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        pairs = list(pool.map(lambda server: (server, _asked(server, record, value)), zone.servers))
    return Look(
        tuple(server for server, one in pairs if one is there),
        tuple(server for server, one in pairs if isinstance(one, bool) and one is not there),
        tuple((server, one) for server, one in pairs if isinstance(one, str)),
    )


def wait(zone: Zone, record: str, value: str, seconds: float, *, there: bool = True) -> tuple[Look, float]:
    """Look until all servers answer as expected or the time is over; return the last look and how long it took."""
    began = time.monotonic()
    pauses = iter(_PAUSES)
    while True:
        found = look(zone, record, value, there=there)
        took = time.monotonic() - began
        if found.done or took >= seconds:
            return found, took
        time.sleep(min(next(pauses, _PAUSES[-1]), max(0.0, seconds - took)))


def _asked(server: Server, record: str, value: str) -> bool | str:
    """Return whether a server has the value, or why it cannot say."""
    if not server.address:
        return "its name has no address"
    try:
        reply = client.ask((server.address, client.PORT), record, client.TXT)
    except Unanswered as error:
        return str(error)
    if reply.code not in {client.NOERROR, client.NXDOMAIN}:
        return client.CODES.get(reply.code, f"code {reply.code}")
    return value in reply.of(record, client.TXT) if reply.authoritative else "not authoritative"
