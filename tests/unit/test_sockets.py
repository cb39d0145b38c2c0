"""The connections of a process, as the kernel shows them."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from stackctl.adapters.net.sockets import connections, process_is_of
from stackctl.engine.apply.drain import may_reach
from stackctl.model.endpoints import Endpoint
from stackctl.observed.sockets import Connection, parse_connections

HEAD = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
REST = "00000000:00000000 00:00000000 00000000     0        0"
TCP = f"""{HEAD}\
   0: 00000000:01BB 00000000:0000 0A {REST} 10 1
   1: 0200090A:01BB 0100090A:CAFE 01 {REST} 11 1
   2: 0200090A:9C40 0300090A:1F40 01 {REST} 12 1
   3: 0200090A:9C41 0400090A:1F40 08 {REST} 13 1
   4: 0200090A:01BB 0100090A:CAFF 01 {REST} 14 1
"""
UDP = f"""{HEAD}\
   1: 00000000:CA6C 00000000:0000 07 {REST} 20 2
   2: 0200090A:9C42 0300090A:0035 01 {REST} 21 2
"""
UNIX = """\
Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 30 /run/sites.sock
0000000000000000: 00000003 00000000 00000000 0001 03 31 /run/sites.sock
0000000000000000: 00000003 00000000 00000000 0001 03 32
"""


def test_the_kernels_tables_are_read() -> None:
    tables = {"tcp": TCP, "udp": UDP, "unix": UNIX}
    assert parse_connections(tables, {10, 11, 12, 13, 20, 21, 30, 31, 32}) == (
        Connection(11, Endpoint("10.9.0.1", 51966), incoming=True),
        Connection(12, Endpoint("10.9.0.3", 8000), incoming=False),
        Connection(13, Endpoint("10.9.0.4", 8000), incoming=False, carries=False),
        Connection(21, Endpoint("10.9.0.3", 53), incoming=False, carries=False),
        Connection(31, None, incoming=True),
    )
    assert parse_connections({}, {11}) == ()


CLIENT = Connection(1, Endpoint("10.9.0.1", 51966), incoming=True)
SERVER = Connection(2, Endpoint("10.9.0.3", 8000), incoming=False)


@pytest.mark.parametrize(
    ("what", "leaving", "may"),
    [
        ((), "10.9.0.3", False),
        ((CLIENT, SERVER), "10.9.0.4", False),
        ((CLIENT, SERVER), "10.9.0.3", True),
        ((SERVER,), "10.9.0.3", True),
        ((CLIENT,), "10.9.0.4", True),
        ((CLIENT, CLIENT, SERVER), "10.9.0.4", True),
        ((CLIENT, Connection(3, Endpoint("10.9.0.3", 8000), incoming=False, carries=False)), "10.9.0.4", True),
        ((Connection(3, None, incoming=True),), "10.9.0.4", True),
    ],
)
def test_a_client_without_a_server_may_still_ask(what: tuple[Connection, ...], leaving: str, may: bool) -> None:
    assert may_reach(what, {leaving}) is may


def test_those_of_a_process_are_found_by_its_sockets(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with (
        socket.create_server(("127.0.0.1", 0)) as listening,
        socket.create_connection(listening.getsockname()) as out,
        listening.accept()[0] as accepted,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as packets,
        socket.socket(socket.AF_UNIX) as local,
        socket.socket(socket.AF_UNIX) as near,
    ):
        packets.connect(("127.0.0.1", 53))
        local.bind(path)
        local.listen()
        near.connect(path)
        with local.accept()[0] as far:
            found = connections([os.getpid()])
            numbers = [os.fstat(one.fileno()).st_ino for one in (listening, out, accepted, packets, local, far)]
        client, server = Endpoint(*out.getsockname()), Endpoint(*listening.getsockname())
    assert found is not None
    own = {one.socket: one for one in found[os.getpid()]}
    assert [own.get(number) for number in numbers] == [
        None,
        Connection(numbers[1], server, incoming=False),
        Connection(numbers[2], client, incoming=True),
        Connection(numbers[3], Endpoint("127.0.0.1", 53), incoming=False, carries=False),
        None,
        Connection(numbers[5], None, incoming=True),
    ]


def test_nothing_is_told_of_a_process_that_has_ended() -> None:
    assert connections([2**22 + 1]) is None
    assert connections([]) == {}
    assert not process_is_of("a" * 64, os.getpid())
