"""HAProxy: what it knows of the servers that it checks."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import datetime, timedelta

from stackctl.errors import InputError
from stackctl.model.endpoints import Endpoint, endpoint
from stackctl.proxies.haproxy.layout import site_of_backend
from stackctl.proxies.health import ServerHealth, ServersHealth
from stackctl.times import read_seconds

HEALTH = "date +%s; ask '@1 show servers state'; ask '@1 show stat -1 4 -1'"
"""The commands that print the time, the names of all servers, and their state."""

_FIELDS = 19
"""Of a row of ``show servers state`` up to the port; the last two are the name of the host and the port."""

_CHECKED = 13
"""The field that is 0 for a server without a check."""

_Row = dict[str, str]


def servers_health(output: str) -> ServersHealth:
    """Return the servers that are checked; nothing of an output that cannot be read."""
    clock, _, rest = output.partition("\n")
    now = read_seconds(clock.strip())
    names, sign, table = rest.partition("# pxname")
    if now is None or not sign:
        return ServersHealth()
    hosts = {
        (row[1], row[3]): (row[17], row[18])
        for row in map(str.split, names.splitlines())
        if len(row) >= _FIELDS and row[_CHECKED] not in {"0", "srv_check_state"}
    }
    groups: dict[tuple[str, str], list[_Row]] = {}
    for row in csv.DictReader(f"pxname{table}".splitlines()):
        if (row["pxname"], row["svname"]) in hosts:
            groups.setdefault((row["pxname"], row["svname"].partition("-")[0]), []).append(row)
    found = (one for rows in groups.values() for one in _judged(rows, hosts, now))
    return ServersHealth(now, tuple(found))


def _judged(rows: list[_Row], hosts: dict[tuple[str, str], tuple[str, str]], now: datetime) -> Iterator[ServerHealth]:
    """Yield the containers of one server of the file; the server itself while its name does not resolve."""
    there = [row for row in rows if _address(row.get("addr") or "") is not None]
    for row in there or rows[:1]:
        host, port = hosts[row["pxname"], row["svname"]]
        address = _address(row.get("addr") or "") if there else None
        name = f"{host}:{port}" if host != "-" else str(address)
        up = row["status"].startswith(("UP", "NOLB"))
        words = (
            (row.get("check_status", "").strip("* "), row.get("last_chk", ""))
            if there
            else (f"{host} does not resolve",)
        )
        since = now - timedelta(seconds=int(row.get("lastchg") or 0))
        reason = "" if up else " ".join(filter(None, words))
        yield ServerHealth(site_of_backend(row["pxname"]), name, address, up, since, not up, reason)


def _address(text: str) -> Endpoint | None:
    try:
        return endpoint(text)
    except InputError:
        return None
