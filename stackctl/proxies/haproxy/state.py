"""HAProxy: what it knows of the servers that it checks."""

from __future__ import annotations

import csv
from datetime import timedelta

from stackctl.errors import InputError
from stackctl.model.endpoints import Endpoint, endpoint
from stackctl.proxies.haproxy.layout import site_of_backend
from stackctl.proxies.health import ServerHealth, ServersHealth
from stackctl.times import read_seconds

HEALTH = "date +%s; ask '@1 show stat -1 4 -1'"
"""The commands that print the time, and the state of all servers."""

_CHECKED = ("UP", "DOWN", "NOLB")


def servers_health(output: str) -> ServersHealth:
    """Return the servers that are checked; nothing of an output that cannot be read."""
    clock, _, table = output.partition("\n")
    now = read_seconds(clock.strip())
    if now is None or not table.startswith("# "):
        return ServersHealth()
    found = []
    for row in csv.DictReader(table.removeprefix("# ").splitlines()):
        status, last = (row.get("status") or "").split(" ")[0], row.get("check_status") or ""
        if status not in _CHECKED or not last:
            continue
        since = now - timedelta(seconds=int(row.get("lastchg") or 0))
        up = status == "UP"
        address = _address(row.get("addr") or "")
        name = str(address or row["svname"])
        reason = "" if up else " ".join(filter(None, (last.strip("* "), row.get("last_chk"))))
        found.append(ServerHealth(site_of_backend(row["pxname"]), name, address, up, since, not up, reason))
    return ServersHealth(now if found else None, tuple(found))


def _address(text: str) -> Endpoint | None:
    try:
        return endpoint(text)
    except InputError:
        return None
