"""The rows of the page Sites: their state in one word, filtered and sorted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from markupsafe import Markup

from stackctl.ui.traffic import MINUTES, Minute
from stackctl.ui.views.charts import bars
from stackctl.ui.views.words import Badge, Tone, certificate_badge, count, is_soon
from stackctl.usecases.status import SiteStatus, StatusReport
from stackctl.wording import listed

ROWS = 200
"""How many sites one page shows."""

_GOOD_HEALTH = {"answers", "running", "healthy", "none"}
_SERVED = {
    "real": Badge(Tone.OK, "on the wire"),
    "http": Badge(Tone.OK, "plain HTTP"),
    "dummy": Badge(Tone.WARN, "a placeholder on the wire"),
    "other": Badge(Tone.WARN, "another one on the wire"),
    "nothing": Badge(Tone.BAD, "nothing on the wire"),
}
_HEALTH = {
    "answers": "Answers",
    "running": "Running",
    "healthy": "Healthy",
    "starting": "Starting",
    "unhealthy": "Unhealthy",
    "failing": "Does not answer checks",
    "no answer": "Does not answer",
    "missing": "Not started",
    "none": "Answered by the proxy",
    "exited": "Stopped",
    "restarting": "Restarts again and again",
}


@dataclass(frozen=True, slots=True)
class SiteRow:
    """A site as a row.

    Attributes:
        state: the worst that is to be said of it.
        why: the reason, if it is not fine.
        left: the days until its certificate expires.
        requests: of the last hour, ``errors`` those of them that ended in a status from 500 on; None if not known.
    """

    name: str
    aliases: tuple[str, ...]
    state: Badge
    why: str | None
    servers: str
    health: Badge
    left: int | None
    certificate: Badge
    issuer: str | None
    served: Badge
    requests: int | None = None
    errors: int | None = None
    chart: Markup | None = None


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of the list."""

    text: str = ""
    state: str = ""
    sort: str = "state"
    page: int = 1

    @classmethod
    def of(cls, values: Mapping[str, str]) -> Query:
        """Return the query of a URL; what makes no sense in it is left out."""
        sort, page = values.get("sort", ""), values.get("page", "")
        return cls(
            values.get("q", "").strip().lower()[:253],
            values.get("state", "") if values.get("state") in set(Tone) else "",
            sort if sort in SORTS else "state",
            int(page) if page.isascii() and page.isdigit() and 0 < len(page) < 6 else 1,
        )


_RANK = {Tone.BAD: 0, Tone.WARN: 1, Tone.QUIET: 2, Tone.OK: 3}

SORTS: Mapping[str, tuple[str, Callable[[SiteRow], Any]]] = {
    "state": ("Needs attention first", lambda row: (_RANK[row.state.tone], row.name)),
    "name": ("Name", lambda row: row.name),
    "expiry": ("Expires first", lambda row: (inf if row.left is None else row.left, row.name)),
    "requests": ("Most requests", lambda row: (-(row.requests or 0), row.name)),
    "errors": ("Most errors", lambda row: (-(row.errors or 0), row.name)),
}
"""The orders by their names in the URL: what the menu says, and the key."""


def row_of(site: SiteStatus, minutes: Sequence[Minute] | None = None, within: str = "") -> SiteRow:
    """Return the row of a site; ``minutes`` are its requests, as far as they were seen: ``within`` says how far."""
    health = Badge(Tone.OK if site.health in _GOOD_HEALTH else Tone.BAD, _HEALTH.get(site.health, site.health))
    if site.health == "starting":
        health = Badge(Tone.WARN, health.text)
    state, why = _state(site, health)
    requests = sum(one.requests for one in minutes) if minutes is not None else None
    errors = sum(one.errors for one in minutes) if minutes is not None else None
    drawn = None
    if minutes is not None and requests:
        said = f"{count(requests, 'request')}, {count(errors or 0, 'error')} {within}"
        drawn = bars([(one.requests, one.errors) for one in minutes], said)
    return SiteRow(
        name=site.name,
        aliases=site.aliases,
        state=state,
        why=why,
        servers=site.upstream,
        health=health,
        left=site.days_left,
        certificate=certificate_badge(site.certificate_problem, site.days_left, with_problem=Tone.WARN),
        issuer=site.issuer,
        served=_SERVED.get(site.served, Badge(Tone.WARN, site.served)),
        requests=requests,
        errors=errors,
        chart=drawn,
    )


def _state(site: SiteStatus, health: Badge) -> tuple[Badge, str | None]:
    """Return the first that applies, the worst first."""
    problem = site.certificate_problem or site.ending
    soon = site.days_left is not None and is_soon(site.days_left) and site.served != "http"
    found = [
        (bool(site.parked), Badge(Tone.BAD, "Parked"), site.parked),
        (site.served == "nothing", Badge(Tone.BAD, "Not served"), "the proxy shows no certificate for this name"),
        (
            health.tone is Tone.BAD,
            Badge(Tone.BAD, "Down"),
            next((one.reason for one in site.servers if one.reason), None),
        ),
        (bool(site.maintenance), Badge(Tone.QUIET, "Maintenance"), f"it is {site.maintenance}"),
        (bool(problem) or site.served in {"dummy", "other"}, Badge(Tone.WARN, "Certificate"), problem),
        (health.tone is Tone.WARN, Badge(Tone.WARN, "Starting"), None),
        (soon, Badge(Tone.WARN, "Expires soon"), None),
    ]
    return next(((badge, why) for applies, badge, why in found if applies), (Badge(Tone.OK, "Fine"), None))


def chosen(rows: Iterable[SiteRow], query: Query) -> list[SiteRow]:
    """Return the rows that a query asks for, in its order."""
    found = [
        row
        for row in rows
        if (not query.state or row.state.tone == query.state)
        and (not query.text or any(query.text in text.lower() for text in (row.name, *row.aliases, row.servers)))
    ]
    return sorted(found, key=SORTS[query.sort][1])


def shown(rows: Sequence[SiteRow], query: Query) -> tuple[list[SiteRow], int]:
    """Return the rows of one page, and the number of pages."""
    pages = max(1, -(-len(rows) // ROWS))
    first = (min(query.page, pages) - 1) * ROWS
    return list(rows[first : first + ROWS]), pages


def within(covered: int) -> str:
    """Return for how long requests were seen: ``in the last hour``."""
    return "in the last hour" if covered >= MINUTES else f"in the last {count(covered, 'minute')}"


@dataclass(frozen=True, slots=True)
class Tile:
    """A number above the list: what it counts, and the query that shows it."""

    number: str
    text: str
    tone: Tone
    link: str


def tiles(rows: Sequence[SiteRow], report: StatusReport) -> list[Tile]:
    """Return what is to be known before any row is read."""
    wrong = [row for row in rows if row.state.tone in {Tone.BAD, Tone.WARN}]
    ends = min((row for row in rows if row.left is not None), key=lambda row: (row.left, row.name), default=None)
    found = [
        Tile(f"{len(rows):,}", "site" if len(rows) == 1 else "sites", Tone.QUIET, "/"),
        Tile(
            f"{len(wrong):,}",
            "needs attention" if len(wrong) == 1 else "need attention",
            Tone.WARN if wrong else Tone.OK,
            "/?sort=state",
        ),
    ]
    if ends is not None and ends.left is not None:
        left, text = count(ends.left, "day"), f"until {ends.name} expires"
        found.append(Tile(left, text, ends.certificate.tone, "/?sort=expiry"))
    tone = Tone.OK if report.proxy == "running" else Tone.BAD
    found.append(Tile(report.proxy.capitalize(), "the proxy", tone, "/doctor"))
    return found


def alarms(report: StatusReport) -> list[str]:
    """Return what concerns the stack as a whole and needs attention."""
    found = []
    if report.renewal.problem is not None:
        found.append(f"Renewals: {report.renewal.problem}")
    if report.deploying:
        services = listed(report.deploying)
        found.append(f"A deploy of {services} is running or was interrupted: 'stackctl up' finishes it")
    if report.drained:
        found.append("This host takes no requests of its load balancer: 'stackctl maintenance host off' ends it")
    parked = [one for one in report.streams if one.parked]
    found += [f"{one.stream} is parked, so that all other sites are served: {one.parked}" for one in parked]
    return found
