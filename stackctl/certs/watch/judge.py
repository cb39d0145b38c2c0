"""Which problems a look has found: pure, and relative to the lifetime of each certificate."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, NamedTuple

from stackctl.certs.watch.ends import late, near_ends
from stackctl.certs.watch.look import DUMMY, IMPORTED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stackctl.certs.watch.look import Facts, Leaf
    from stackctl.certs.watch.settings import Settings, Watched

RENEWAL, REFUSED, END, WIRE, UNSERVED, UNISSUED, PROXY, PARKED = (
    "renewal",
    "refused",
    "end",
    "wire",
    "unserved",
    "unissued",
    "proxy",
    "parked",
)
"""The kinds of problems."""

SEEN_ON_WIRE = frozenset({WIRE, UNSERVED, UNISSUED})
"""Those that a look without a handshake says nothing about."""

PASSING = frozenset({*SEEN_ON_WIRE, PROXY})
"""Those that a deploy or a reload can cause for a moment: they count when a later look finds them again."""

NEAR, URGENT, OVER = "near", "urgent", "over"


class Problem(NamedTuple):
    """A problem of a site or of a certificate; one of another stage is news, one of another text is not."""

    kind: str
    name: str
    text: str
    stage: str = ""

    @property
    def identity(self) -> str:
        """What identifies it in the state of the program."""
        return f"{self.kind} {self.name}"


def problems(settings: Settings, facts: Facts) -> tuple[Problem, ...]:
    """Return the problems, those of the whole stack first."""
    return tuple(_found(settings, facts))


def _found(settings: Settings, facts: Facts) -> Iterator[Problem]:
    if facts.reached is False:
        yield Problem(PROXY, "", "the proxy accepts no connections")
    for name, reason in facts.failed.items():
        what = "its certificate could not be renewed" if name else "the renewal loop failed"
        yield Problem(RENEWAL, name, f"{what}: {reason}")
    for name, reason in facts.refused.items():
        yield Problem(REFUSED, name, f"its certificate is not copied for the proxy: {reason}")
    for site in settings.sites:
        if site.name in facts.parked:
            reason = facts.parked[site.name]
            yield Problem(PARKED, site.name, f"it is not served, as the proxy rejected its files: {reason}")
        elif site.name in facts.served:
            yield from _on_wire(settings, facts, site)
        leaf = _shown(settings, facts, site)
        if leaf is not None and settings.https is not None:
            yield from _near_its_end(facts, site, leaf)


def _on_wire(settings: Settings, facts: Facts, site: Watched) -> Iterator[Problem]:
    leaf = facts.served[site.name]
    if leaf is None:
        yield Problem(UNSERVED, site.name, "the proxy does not serve it over HTTPS")
    elif leaf.issuer == settings.dummy:
        yield Problem(UNISSUED, site.name, "it has no certificate yet, and is served with a dummy")
    elif leaf.der not in facts.current:
        text = "the proxy serves another certificate than the one on disk"
        yield Problem(WIRE, site.name, text)


def _shown(settings: Settings, facts: Facts, site: Watched) -> Leaf | None:
    """Return the certificate that visitors see, or else the one on disk that they would see."""
    leaf = facts.served.get(site.name)
    if leaf is not None:
        return None if leaf.issuer == settings.dummy else leaf
    own = [one.leaf for one in facts.copies if one.source != DUMMY and one.name in {site.name, site.lineage}]
    return max(own, key=lambda one: one.end, default=None)


def _near_its_end(facts: Facts, site: Watched, leaf: Leaf) -> Iterator[Problem]:
    left = leaf.end - facts.now
    there = facts.current.get(leaf.der)
    limits = near_ends(leaf.life) if site.imported else (late(leaf.life),)
    if not site.imported and there is not None and there.source == IMPORTED:
        limits = near_ends(leaf.life)[-1:]  # it has a fallback, or is kept until the next one is issued
    if left > limits[0]:
        return
    what = "its imported certificate" if site.imported else "its certificate"
    if left <= dt.timedelta(0):
        yield Problem(END, site.name, f"{what} expired on {leaf.end:%Y-%m-%d}", OVER)
        return
    stage = URGENT if site.imported and left <= limits[-1] else NEAR
    why = "nothing renews it" if site.imported else "it should have been replaced"
    yield Problem(END, site.name, f"{what} ends on {leaf.end:%Y-%m-%d}, in {_span(left)}: {why}", stage)


def _span(left: dt.timedelta) -> str:
    number, unit = (left.days, "day") if left.days else (left.seconds // 3600, "hour")
    return f"{number} {unit}{'' if number == 1 else 's'}"
