"""Read the listening sockets of a container from the tables of its process on this host."""

from __future__ import annotations

from pathlib import Path

from stackctl.observed.containers import parse_listeners

_TABLES = ("tcp", "tcp6")


def listens(pid: int, port: int) -> bool | None:
    """Return whether process ``pid`` has a socket on ``port`` that others can reach; None if it cannot be read."""
    folder = Path("/proc") / str(pid) / "net"
    try:
        tables = [path.read_text() for table in _TABLES if (path := folder / table).exists()]
    except OSError:
        return None
    if not tables:
        return None
    return any(one.port == port and not one.local for one in parse_listeners(*tables))
