"""Read the sockets of processes on this host, in their own network namespace."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from stackctl.observed.sockets import Connection, ListeningSocket, parse_connections, parse_listeners

TABLES = ("tcp", "tcp6")
"""The files of sockets in a ``net`` directory of ``/proc``; without IPv6 in the kernel there is no second one."""

_ALL = (*TABLES, "udp", "udp6", "unix")
_SOCKET = re.compile(r"socket:\[(\d+)\]\Z")


def process_is_of(container: str, pid: int) -> bool:
    """Return whether this host's process ``pid`` is the container's: the engine may be on another machine."""
    try:
        return pid != 0 and container in (Path("/proc") / str(pid) / "cgroup").read_text()
    except OSError:
        return False


def listening_sockets(pid: int) -> tuple[ListeningSocket, ...] | None:
    """Return the listening sockets of process ``pid``; None if its tables cannot be read."""
    try:
        tables = _tables(pid, TABLES)
    except OSError:
        return None
    return parse_listeners(*tables.values()) if tables else None


def connections(pids: Collection[int]) -> Mapping[int, tuple[Connection, ...]] | None:
    """Return the connections of processes that share a network namespace; None if they cannot be read."""
    try:
        sockets = {pid: frozenset(_sockets(pid)) for pid in pids}
        tables = _tables(next(iter(pids)), _ALL) if pids else {}
    except OSError:
        return None
    found = parse_connections(tables, frozenset().union(*sockets.values()))
    return {pid: tuple(one for one in found if one.socket in own) for pid, own in sockets.items()}


def _tables(pid: int, names: Collection[str]) -> dict[str, str]:
    folder = Path("/proc") / str(pid) / "net"
    return {name: path.read_text() for name in names if (path := folder / name).exists()}


def _sockets(pid: int) -> Iterator[int]:
    """Yield the numbers of a process's open sockets, which only root and its own user may see."""
    for descriptor in (Path("/proc") / str(pid) / "fd").iterdir():
        try:
            match = _SOCKET.match(str(descriptor.readlink()))
        except FileNotFoundError:
            continue  # closed meanwhile
        if match is not None:
            yield int(match[1])
