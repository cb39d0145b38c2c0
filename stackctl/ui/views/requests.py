"""What the page Requests shows: the requests that were asked for, and what stands out among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from urllib.parse import urlencode

from stackctl.proxies.logs import LoggedRequest
from stackctl.ui.views.words import Tone
from stackctl.wording import size

ROWS = 200
"""How many requests are shown at first."""

_TOP = 8
_SLOW_SECONDS = 1.0
"""From when on a request counts as slow."""

STATUSES = {
    "2": "2xx: done",
    "3": "3xx: redirected",
    "4": "4xx: refused",
    "5": "5xx: failed",
    "slow": f"slow: {_SLOW_SECONDS:g} s or more",
}
_TONES = {4: Tone.WARN, 5: Tone.BAD, 0: Tone.BAD}


@dataclass(frozen=True, slots=True)
class Entry:
    """A request with the site that it was for; None for a name that is not routed."""

    request: LoggedRequest
    site: str | None


@dataclass(frozen=True, slots=True)
class Query:
    """Which requests are shown; empty fields do not restrict them."""

    site: str = ""
    status: str = ""
    client: str = ""
    text: str = ""

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Query:
        """Return the query of a URL; an unknown status is left out."""
        found = {one.name: values.get(one.name, "").strip()[:300] for one in fields(cls)}
        found["status"] = found["status"] if found["status"] in STATUSES else ""
        return cls(**found)

    def link(self, **changes: str) -> str:
        """Return the address of the page with some fields changed."""
        values = {one.name: changes.get(one.name, getattr(self, one.name)) for one in fields(self)}
        encoded = urlencode({name: value for name, value in values.items() if value})
        return f"/requests?{encoded}" if encoded else "/requests"

    @property
    def encoded(self) -> str:
        """The query as a part of an address, to follow the requests."""
        return self.link().partition("?")[2]

    def wants(self, entry: Entry) -> bool:
        """Return whether a request is shown."""
        one = entry.request
        return (
            self.site in {"", entry.site or one.host}
            and self.client in {"", one.client}
            and (not self.text or self.text.lower() in f"{one.host} {one.request} {one.agent or ''}".lower())
            and (not self.status or (is_slow(one) if self.status == "slow" else str(_class_of(one)) == self.status))
        )


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request as a row."""

    at: datetime
    site: str
    is_routed: bool
    method: str
    target: str
    status: str
    tone: Tone
    seconds: str
    is_slow: bool
    client: str
    size: str
    id: str | None


@dataclass(frozen=True, slots=True)
class Top:
    """The most frequent values of one kind: each with how often it was seen, and the address that shows only it."""

    title: str
    rows: tuple[tuple[str, str, str], ...]


def is_slow(request: LoggedRequest) -> bool:
    """Return whether a request took long."""
    return request.seconds is not None and request.seconds >= _SLOW_SECONDS


def row_of(entry: Entry) -> RequestRow:
    """Return the row of a request."""
    one = entry.request
    return RequestRow(
        at=one.time,
        site=entry.site or one.host or "-",
        is_routed=entry.site is not None,
        method=one.method or "",
        target=one.target,
        status=str(one.status) if one.status else "none",
        tone=_TONES.get(_class_of(one), Tone.QUIET),
        seconds=took(one.seconds),
        is_slow=is_slow(one),
        client=one.client,
        size=size(one.bytes),
        id=one.id,
    )


def tops(entries: Sequence[Entry], query: Query) -> list[Top]:
    """Return what stands out: sites, clients, paths that fail, and paths that are slow."""
    sites = Counter(entry.site or entry.request.host for entry in entries)
    clients = Counter(entry.request.client for entry in entries)
    failed = Counter(entry.request.path for entry in entries if _class_of(entry.request) in {0, 5})
    slow: dict[str, float] = {}
    for entry in entries:
        one = entry.request
        if is_slow(one):
            slow[one.path] = max(slow.get(one.path, 0.0), one.seconds or 0.0)
    slowest = sorted(slow.items(), key=lambda item: -item[1])[:_TOP]
    return [
        top
        for top in (
            Top("By site", tuple((name, f"{n:,}", query.link(site=name)) for name, n in sites.most_common(_TOP))),
            Top(
                "By address", tuple((name, f"{n:,}", query.link(client=name)) for name, n in clients.most_common(_TOP))
            ),
            Top("Failed", tuple((p, f"{n:,}", query.link(text=p, status="5")) for p, n in failed.most_common(_TOP))),
            Top("Slowest", tuple((p, took(s), query.link(text=p, status="slow")) for p, s in slowest)),
        )
        if top.rows
    ]


def counts(entries: Iterable[Entry], query: Query) -> list[tuple[str, str, Tone, str]]:
    """Return a tile for each class of statuses: the number, its words, its tone and its address."""
    found = Counter(_class_of(entry.request) or 5 for entry in entries)
    tiles = [(f"{sum(found.values()):,}", "requests", Tone.QUIET, query.link(status=""))]
    for number, words, tone in ((4, "refused (4xx)", Tone.WARN), (5, "failed (5xx)", Tone.BAD)):
        tiles.append(
            (f"{found[number]:,}", words, tone if found[number] else Tone.QUIET, query.link(status=str(number)))
        )
    return tiles


def took(seconds: float | None) -> str:
    """Return a duration for people: ``8 ms``, ``1.2 s``."""
    if seconds is None:
        return ""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:,.1f} s"


def _class_of(request: LoggedRequest) -> int:
    return request.status // 100
