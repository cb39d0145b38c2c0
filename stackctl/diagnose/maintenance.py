"""Tells whether a site is in maintenance, and for whom."""

from __future__ import annotations

from datetime import datetime

from stackctl.diagnose.check import Check, unknown
from stackctl.model.pages import Maintenance
from stackctl.model.routing import Site
from stackctl.wording import listed, moment

MAINTENANCE = "maintenance"


def described(maintenance: Maintenance, now: datetime) -> str:
    """Return in one line what requests get."""
    if maintenance.has_ended(now) and maintenance.until is not None:
        return f"the maintenance ended at {moment(maintenance.until)}"
    others = listed([str(one[0] if one.num_addresses == 1 else one) for one in maintenance.allow])
    clients = f"all clients but {others}" if others else "all clients"
    end = f" until {moment(maintenance.until)}" if maintenance.until else ""
    return f"in maintenance: {clients} get 503{end}"


def judge_maintenance(site: Site, now: datetime) -> list[Check]:
    """Return a check of a site with the key ``maintenance``, none for others; it is never wrong."""
    if site.maintenance is None:
        return []
    text, todo = described(site.maintenance, now), f"to remove it: 'stackctl maintenance off {site.name}'"
    return [unknown(MAINTENANCE, text, todo, site.name)]
