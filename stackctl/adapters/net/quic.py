"""Asks a UDP port for QUIC without a handshake: a server names its versions to one that it does not know."""

from __future__ import annotations

import secrets
import socket

_UNKNOWN_VERSION = bytes.fromhex("1a2a3a4a")
"""A version that no server has, so that each must answer with those that it has (RFC 9000, sections 6 and 15)."""

_SMALLEST = 1200
"""Servers ignore smaller first packets (RFC 9000, section 14.1)."""

_LONG_HEADER, _NEGOTIATION = 0x80, bytes(4)
_TRIES, _SECONDS = 3, 0.5


def speaks_quic(address: tuple[str, int]) -> bool:
    """Return whether a QUIC server answers at ``address``; packets may be lost, so it is asked several times."""
    mine, other = secrets.token_bytes(8), secrets.token_bytes(8)
    head = bytes([_LONG_HEADER | 0x40]) + _UNKNOWN_VERSION + bytes([len(other)]) + other + bytes([len(mine)]) + mine
    packet = head.ljust(_SMALLEST, b"\0")
    family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as asking:
        asking.settimeout(_SECONDS)
        for _ in range(_TRIES):
            try:
                asking.connect(address)
                asking.send(packet)
                found = asking.recv(2048)
            except OSError:
                # A timeout too; a closed port is often reported at the next use of the socket.
                continue
            if found[:1] >= bytes([_LONG_HEADER]) and found[1:5] == _NEGOTIATION and mine in found[5:15]:
                return True
    return False
