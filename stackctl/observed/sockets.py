"""The sockets of containers, as the tables below ``/proc/PID/net`` show them on a little-endian machine."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from stackctl.model.endpoints import Endpoint

_ESTABLISHED, _UNCONNECTED = "01", "07"
_LISTEN = "0A"
_DOCKER_DNS = ip_address("127.0.0.11")
_ANY = {ip_address("0.0.0.0"), ip_address("::")}  # noqa: S104  (compared, not bound)
_INODE, _INODE_OF_LOCAL = 9, 6
"""The columns with the number of a socket."""

_ACCEPTS = 0x10000
"""The flag of a socket in the file system that listens (``__SO_ACCEPTCON``)."""


@dataclass(frozen=True, slots=True)
class ListeningSocket:
    """A TCP socket that accepts connections inside a container.

    Attributes:
        ipv6_only: whether it is bound to ``::`` and was found to refuse IPv4, which the proxy uses.
    """

    address: IPv4Address | IPv6Address
    port: int
    ipv6_only: bool = False

    def __str__(self) -> str:
        return f"[{self.address}]:{self.port}" if self.address.version == 6 else f"{self.address}:{self.port}"

    @property
    def local(self) -> bool:
        """Whether only the container itself can reach it."""
        return self.address.is_loopback

    def reachable_at(self, addresses: frozenset[str]) -> bool:
        """Whether it accepts connections to one of the container's ``addresses``."""
        return (self.address in _ANY and not self.ipv6_only) or str(self.address) in addresses


@dataclass(frozen=True, slots=True)
class Connection:
    """A connection that a process has.

    Attributes:
        socket: the number of its socket.
        remote: the other end; None for one that a client in the same container has opened.
        incoming: whether it was accepted from a client.
        carries: whether it can have a client's request or its response: TCP that is established.
    """

    socket: int
    remote: Endpoint | None
    incoming: bool
    carries: bool = True


def parse_listeners(*tables: str) -> tuple[ListeningSocket, ...]:
    """Parse the listening sockets of ``/proc/net/tcp`` and ``/proc/net/tcp6`` of a little-endian machine."""
    found: set[ListeningSocket] = set()
    for line in "\n".join(tables).splitlines():
        fields = line.split()
        if len(fields) > 3 and fields[3] == _LISTEN:
            address, _, port = fields[1].partition(":")
            listener = ListeningSocket(_address(address), int(port, 16))
            if listener.address != _DOCKER_DNS:
                found.add(listener)
    return tuple(sorted(found, key=lambda one: (one.port, one.address.version, int(one.address))))


def _address(hexadecimal: str) -> IPv4Address | IPv6Address:
    # The kernel prints words of four bytes in the machine's order.
    words = [bytes.fromhex(hexadecimal[at : at + 8])[::-1] for at in range(0, len(hexadecimal), 8)]
    address = ip_address(b"".join(words))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def parse_connections(tables: Mapping[str, str], sockets: Collection[int]) -> tuple[Connection, ...]:
    """Parse those of ``sockets`` that are connections.

    ``tables`` are those of ``/proc/PID/net``: ``tcp``, ``tcp6``, ``udp``, ``udp6`` and ``unix``.
    """
    listening = {one.port for one in parse_listeners(tables.get("tcp", ""), tables.get("tcp6", ""))}
    found: list[Connection] = []
    for name, table in tables.items():
        column = _INODE_OF_LOCAL if name == "unix" else _INODE
        # Most rows are of no process: a busy proxy has thousands in TIME_WAIT.
        rows = [row for row in map(str.split, table.splitlines()[1:]) if int(row[column]) in sockets]
        found += _local(rows) if name == "unix" else _internet(rows, listening, tcp=name.startswith("tcp"))
    return tuple(found)


def _internet(rows: list[list[str]], listening: Collection[int], *, tcp: bool) -> Iterator[Connection]:
    for row in rows:
        state = row[3]
        if state not in {_LISTEN, _UNCONNECTED}:
            address, _, port = row[2].partition(":")
            remote = Endpoint(str(_address(address)), int(port, 16))
            incoming = tcp and int(row[1].partition(":")[2], 16) in listening
            yield Connection(int(row[_INODE]), remote, incoming, carries=tcp and state == _ESTABLISHED)


def _local(rows: list[list[str]]) -> Iterator[Connection]:
    """Yield the accepted ends of connections in the file system: these have the path of the socket that listens."""
    for row in rows:
        if len(row) > 7 and not int(row[3], 16) & _ACCEPTS:
            yield Connection(int(row[_INODE_OF_LOCAL]), None, incoming=True)
