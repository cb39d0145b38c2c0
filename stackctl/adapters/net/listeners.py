"""Read the listening sockets of a process on this host, in its own network namespace."""

from __future__ import annotations

from pathlib import Path

from stackctl.observed.containers import ListeningSocket, parse_listeners

TABLES = ("tcp", "tcp6")
"""The files of sockets in a ``net`` directory of ``/proc``; without IPv6 in the kernel there is no second one."""


def listening_sockets(pid: int) -> tuple[ListeningSocket, ...] | None:
    """Return the listening sockets of process ``pid``; None if its tables cannot be read."""
    folder = Path("/proc") / str(pid) / "net"
    try:
        tables = [path.read_text() for table in TABLES if (path := folder / table).exists()]
    except OSError:
        return None
    return parse_listeners(*tables) if tables else None
