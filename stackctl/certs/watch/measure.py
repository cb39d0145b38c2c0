"""Return the metrics of what was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stackctl.certs.watch import exposition as metrics
from stackctl.certs.watch.ends import renewal_window
from stackctl.certs.watch.exposition import Sample
from stackctl.certs.watch.look import ACME, DUMMY, LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stackctl.certs.watch.look import Copy, Facts
    from stackctl.certs.watch.settings import Settings

RENEW = "renew"
"""The loop that renews certificates."""


def used(settings: Settings, facts: Facts) -> tuple[Copy, ...]:
    """Return the certificates on disk that matter: those of the sites, and all that a site is served with."""
    shown = {leaf.der for leaf in facts.served.values() if leaf is not None}
    names = {name for site in settings.sites for name in (site.name, site.lineage)}
    return tuple(one for one in facts.copies if one.leaf.der in shown or (one.source != DUMMY and one.name in names))


def measured(settings: Settings, facts: Facts) -> Iterator[Sample]:
    """Yield the samples, without those that only stackctl can see."""
    yield Sample(metrics.BUILD, 1, (settings.version,))
    yield Sample(metrics.LAST_RUN, facts.now.timestamp())
    yield Sample(metrics.SITES, len(settings.sites))
    yield Sample(metrics.PARKED, len(facts.parked))
    for one in used(settings, facts):
        yield Sample(metrics.NOT_AFTER, one.leaf.end.timestamp(), (one.name, one.source))
        if one.source in {ACME, LOCAL}:
            due = one.leaf.end - renewal_window(one.leaf.life)
            yield Sample(metrics.RENEWAL_DUE, due.timestamp(), (one.name,))
        if one.source == ACME:
            yield Sample(metrics.RENEWAL_FAILED, int(bool({"", one.name} & facts.failed.keys())), (one.name,))
    current = facts.current
    for name, leaf in facts.served.items():
        yield Sample(metrics.ON_WIRE, int(leaf is not None and leaf.der in current), (name,))
        if leaf is not None:
            yield Sample(metrics.SERVED_NOT_AFTER, leaf.end.timestamp(), (name,))
    for family, stamp in ((metrics.LOOP_RUN, facts.checked), (metrics.LOOP_SUCCESS, facts.succeeded)):
        if stamp.isdigit() and len(stamp) < 12:
            yield Sample(family, int(stamp), (RENEW,))
    if facts.live or facts.answers:
        yield Sample(metrics.GENERATION, 1, (facts.live, facts.answers))
