"""Find the zone of a name, its servers and its delegation, as a CA's resolver would."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from stackctl.certs.dns01 import client
from stackctl.certs.dns01.client import Reply, Unanswered

RESOLVER = "STACKCTL_RESOLVER"
_MOST_ALIASES = 10


class DnsProblem(Exception):
    """Why a record cannot be written or seen: one sentence, and what to do."""

    def __init__(self, text: str, todo: str = "") -> None:
        super().__init__(text)
        self.text, self.todo = text, todo


@dataclass(frozen=True)
class Server:
    """A name server of a zone at one address; the address is empty if its name has none."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} ({self.address})" if self.address else self.name


@dataclass(frozen=True)
class Zone:
    """A zone: its name, and its servers by the NS records of the zone itself and of its parent."""

    name: str
    own: frozenset[str]
    parents: frozenset[str]
    servers: tuple[Server, ...]


@dataclass(frozen=True)
class Place:
    """Where the record of a challenge is, with the names that CNAME records led through."""

    record: str
    zone: Zone
    chain: tuple[str, ...] = ()


@lru_cache(maxsize=1)
def resolvers() -> tuple[tuple[str, int], ...]:
    """Return the resolvers of this container, or the one in the variable."""
    given = os.environ.get(RESOLVER, "").strip()
    if given:
        bare, _, port = given.rpartition(":") if given.count(":") == 1 or "]:" in given else (given, "", "")
        return ((bare.strip("[]"), int(port or client.PORT)),)
    words = [line.split() for line in Path("/etc/resolv.conf").read_text(encoding="utf-8").splitlines()]
    return tuple((line[1], client.PORT) for line in words if len(line) > 1 and line[0] == "nameserver")


def resolve(name: str, kind: int, *, unchecked: bool = False) -> Reply:
    """Return the answer of the first resolver that gives one.

    Raises:
        DnsProblem: none does, or the servers of the name fail.
    """
    failed = None
    for at in resolvers():
        try:
            reply = client.ask(at, name, kind, recurse=True, unchecked=unchecked, seconds=5.0)
        except Unanswered:
            continue
        if reply.code in {client.NOERROR, client.NXDOMAIN}:
            return reply
        failed = reply
    if failed is None:
        raise DnsProblem("no resolver answers in the certbot container", "check its 'dns' and the host's network")
    if not unchecked and failed.code == client.SERVFAIL and _is_there(name, kind):
        raise DnsProblem(
            f"DNSSEC of {name} is broken: resolvers that check it answer SERVFAIL",
            "correct the DS record at the parent, or sign the zone again: a CA checks DNSSEC",
        )
    code = client.CODES.get(failed.code, str(failed.code))
    raise DnsProblem(f"the DNS servers of {name} fail ({code})", f"see https://dnsviz.net/d/{name}/dnssec/")


def _is_there(name: str, kind: int) -> bool:
    try:
        return resolve(name, kind, unchecked=True).code == client.NOERROR
    except DnsProblem:
        return False


def zone_name(name: str) -> str:
    """Return the zone that a name is in: that of the SOA record at the name, or of the one in a negative answer.

    Raises:
        DnsProblem: there is none, or it cannot be looked up.
    """
    at = name
    while "." in at:
        reply = resolve(at, client.SOA)
        here = [one.name for one in (*reply.answers, *reply.authority) if one.kind == client.SOA]
        found = next((zone for zone in here if at == zone or at.endswith(f".{zone}")), None)
        if found:
            if "." not in found:
                break
            return found
        at = at.partition(".")[2]
    raise DnsProblem(f"no zone has the name {name}", "register the domain, and let its registrar delegate it")


@lru_cache(maxsize=256)
def zone_of(name: str) -> Zone:
    """Return the zone that a name is in, with its servers.

    Raises:
        DnsProblem: there is none, or it has no servers.
    """
    zone = zone_name(name)
    parents = frozenset(_delegated(zone))
    own = frozenset(one.value for one in resolve(zone, client.NS).answers if one.kind == client.NS)
    names = sorted(own | parents)
    if not names:
        raise DnsProblem(f"the zone {zone} has no name servers", "add its NS records")
    servers = tuple(at for server in names for at in _addressed(server))
    return Zone(zone, own, parents, servers)


def _delegated(zone: str) -> list[str]:
    """Return the name servers of ``zone`` by the servers of the zone above it; none if they do not answer."""
    try:
        above = zone_name(zone.partition(".")[2]) if "." in zone.partition(".")[2] else zone.partition(".")[2]
        servers = [one.value for one in resolve(above, client.NS).answers if one.kind == client.NS]
    except DnsProblem:
        return []
    for server in servers:
        for at in _addressed(server):
            try:
                reply = client.ask((at.address, client.PORT), zone, client.NS)
            except Unanswered:
                continue
            records = (*reply.authority, *reply.answers)
            found = [one.value for one in records if one.kind == client.NS and one.name == zone]
            if found:
                return found
    return []


def _addressed(server: str) -> list[Server]:
    found: list[Server] = []
    for kind in (client.A, client.AAAA):
        try:
            found += [Server(server, one.value) for one in resolve(server, kind).answers if one.kind == kind]
        except DnsProblem:
            continue
    return [one for one in found if ":" not in one.address or _has_ipv6()] or [Server(server, "")]


@lru_cache(maxsize=1)
def _has_ipv6() -> bool:
    """Return whether this container has a route to the IPv6 Internet: else each such server would look dead."""
    try:
        routes = Path("/proc/net/ipv6_route").read_text(encoding="ascii").splitlines()
    except OSError:
        return False
    return any(line.startswith(f"{'0' * 32} 00") and not line.rstrip().endswith("lo") for line in routes)


def place_of(name: str) -> Place:
    """Return where the record of ``name`` is: CNAME records are followed, as CAs do.

    The servers of each zone are asked themselves. A resolver would remember that there is no such name, and a CA in the
    same network may ask it soon after.

    Raises:
        DnsProblem: a zone cannot be found, or the CNAME records form a loop.
    """
    chain: list[str] = []
    at = name
    for _ in range(_MOST_ALIASES):
        zone = zone_of(at.partition(".")[2])
        target, below = _alias(at, zone)
        if below is not None:
            zone = zone_of(below)
            target, _ = _alias(at, zone)
        if target is None:
            return Place(at, zone, tuple(chain))
        if target in {name, *chain}:
            break
        chain.append(target)
        at = target
    raise DnsProblem(f"the CNAME records of {name} form a loop: {' -> '.join((name, *chain))}", "correct one of them")


def _alias(name: str, zone: Zone) -> tuple[str | None, str | None]:
    """Return what a name is an alias of, by the servers of its zone, and the zone that they delegate it to; or None."""
    for server in zone.servers:
        try:
            reply = client.ask((server.address, client.PORT), name, client.CNAME) if server.address else None
        except Unanswered:
            continue
        if reply is not None and reply.authoritative:
            return next(iter(reply.of(name, client.CNAME)), None), None
        if reply is not None and reply.code == client.NOERROR:
            owners = {one.name for one in reply.authority if one.kind == client.NS} - {zone.name}
            below = next((one for one in owners if name == one or name.endswith(f".{one}")), None)
            if below is not None and below.endswith(f".{zone.name}"):
                return None, below
    return None, None
