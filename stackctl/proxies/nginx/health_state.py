"""nginx: reads what the container's program wrote about the servers that it asks."""

from __future__ import annotations

from collections.abc import Iterator

from stackctl.errors import InputError
from stackctl.model.endpoints import Endpoint, endpoint
from stackctl.model.values import Domain
from stackctl.proxies.health import ServerHealth, ServersHealth
from stackctl.proxies.nginx.layout import HEALTH_STATE
from stackctl.times import read_seconds

COMMAND = ("cat", f"{HEALTH_STATE}/state")
_FIELDS = 9
"""Of a row; ``servers.awk`` names them."""


def servers_health(text: str) -> ServersHealth:
    """Return the rows of the state that can be read: it is written while it is read, by a container of any version."""
    lines = [line.split("\t") for line in text.splitlines()]
    judged = next((read_seconds(fields[1]) for fields in lines if fields[0] == "judged" and len(fields) > 1), None)
    return ServersHealth(judged, tuple(_rows(lines)))


def _rows(lines: list[list[str]]) -> Iterator[ServerHealth]:
    for fields in lines:
        if len(fields) != _FIELDS:
            continue
        site, server, address, _, state, since, _, place, reason = fields
        at = read_seconds(since)
        if at is not None:
            yield ServerHealth(Domain(site), server, _address(address), state == "up", at, place == "out", reason)


def _address(text: str) -> Endpoint | None:
    try:
        return endpoint(text)
    except InputError:
        return None
