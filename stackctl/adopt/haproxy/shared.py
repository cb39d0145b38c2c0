"""The times that all sites of a HAProxy have, as keys of the whole stack."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from stackctl.adopt.haproxy.sites import TIMES
from stackctl.adopt.proposal import ProposedSite
from stackctl.stackfile.services import Value


def shared_times(sites: Sequence[ProposedSite]) -> tuple[dict[str, Value], list[ProposedSite]]:
    """Return the times that all sites have as keys of the whole stack, and the sites without them."""
    counted = Counter(
        pair for site in sites for pair in ((key, str(site.tuning[key])) for key in TIMES if key in site.tuning)
    )
    whole = {key: value for (key, value), number in counted.items() if number == len(sites) > 0}
    left = [
        replace(site, tuning={key: _without(value, whole) for key, value in site.tuning.items() if key not in whole})
        for site in sites
    ]
    return dict(whole), left


def _without(value: Value, whole: Mapping[str, str]) -> Value:
    """Return routes without the times that the whole stack has."""
    if not isinstance(value, list):
        return value
    return [
        {key: one for key, one in item.items() if whole.get(key) != one} if isinstance(item, dict) else item
        for item in value
    ]
