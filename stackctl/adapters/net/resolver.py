"""Query DNS resolvers: those of the system, or the one in STACKCTL_RESOLVER.

The hosts file is ignored: a CA does not know it.
"""

from __future__ import annotations

import re
from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from stackctl.adapters.net.deadline import Deadline
from stackctl.errors import InputError
from stackctl.model import endpoints
from stackctl.observed.network import Answer, Lookup
from stackctl.reading import read_regular

if TYPE_CHECKING:
    from dns.message import Message

VARIABLE = "STACKCTL_RESOLVER"
_PORT = 53
_CONFIGURATION = Path("/etc/resolv.conf")
_LINK = re.compile(r"%[A-Za-z0-9_.-]+(?=\]|\Z)")
_TRY_SECONDS, _ROUNDS = 2.0, 2
_LOOKUP_SECONDS = 10.0
"""For the whole of a lookup: servers that are tried, and aliases that are followed."""

_LONGEST_CHAIN = 16
_PAYLOAD = 1232
"""The largest UDP response that is not fragmented (DNS flag day 2020)."""


def parse_resolver(text: str) -> tuple[str, int]:
    """Parse ``ADDRESS`` or ``ADDRESS:PORT``, with an IPv6 address in brackets if a port follows.

    An address of one link has the interface behind it, as in ``fe80::1%eth0`` (RFC 6874).

    Raises:
        InputError: it is neither.
    """
    link = _LINK.search(text)
    bare = _LINK.sub("", text).strip()
    for written in (bare, f"{bare}:{_PORT}", f"[{bare}]:{_PORT}"):
        try:
            at = endpoints.port_binding(written)
        except InputError:
            continue
        if at.address is not None and (link is None or ":" in at.address):
            return at.address + (link[0] if link else ""), at.port
    raise InputError(
        f"{text!r} is not the address of a resolver", where=VARIABLE, hint="write ADDRESS or ADDRESS:PORT, as 9.9.9.9"
    )


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


class Resolver:
    """The resolvers of this host, or only ``at``. One that did not answer is not queried again."""

    def __init__(self, at: tuple[str, int] | None = None) -> None:
        self._at = at
        self._silent: set[tuple[str, int]] = set()

    @cached_property
    def _servers(self) -> list[tuple[str, int]]:
        if self._at is not None:
            return [self._at]
        try:
            text = read_regular(_CONFIGURATION).decode("utf-8", "replace")
        except OSError:
            return []
        words = [line.split() for line in text.splitlines()]
        # As the C library does, pass over what is no address.
        named = (line[1] for line in words if len(line) > 1 and line[0] == "nameserver")
        return [(address, _PORT) for address in named if _is_address(address)]

    def lookup(self, name: str, kind: str) -> Lookup:
        """Return the records of ``kind`` (A, AAAA or CAA) of ``name``, with CNAME records followed."""
        if not _is_name(name):
            return Lookup(Answer.NO_NAME)
        chain: list[str] = []
        asked, deadline = name, Deadline(_LOOKUP_SECONDS)
        while True:
            response = self._ask(asked, kind, deadline)
            if response is None:
                return Lookup(Answer.SILENT, chain=tuple(chain))
            aliases, records = _read(response, kind)
            end = asked
            while end in aliases:
                end = aliases[end]
                chain.append(end)
                if chain.count(end) > 1 or end == name or len(chain) > _LONGEST_CHAIN:
                    return Lookup(Answer.EMPTY, chain=tuple(chain), loop=True)
            answer = _answer(response)
            if end in records:
                return Lookup(Answer.FOUND, tuple(records[end]), tuple(chain))
            if answer is not Answer.EMPTY or end == asked:
                return Lookup(answer, chain=tuple(chain))
            asked = end  # the server does not follow aliases itself

    def _ask(self, name: str, kind: str, deadline: Deadline) -> Message | None:
        """Return the response to one query; a server's failure only if no other server responds successfully."""
        import dns.exception  # noqa: PLC0415
        import dns.message  # noqa: PLC0415
        import dns.rcode  # noqa: PLC0415

        question = dns.message.make_query(f"{name}.", kind, use_edns=0, payload=_PAYLOAD)
        failed: Message | None = None
        for _ in range(_ROUNDS):
            for address, port in self._servers:
                if (address, port) in self._silent:
                    continue
                try:
                    response = _query(question, address, port, Deadline(_TRY_SECONDS, within=deadline))
                except (OSError, EOFError, ValueError, dns.exception.DNSException):
                    continue
                if response.rcode() in {dns.rcode.NOERROR, dns.rcode.NXDOMAIN}:
                    return response
                failed = response
            if failed is not None:
                return failed
        self._silent.update(self._servers)
        return None


def _query(question: Message, address: str, port: int, deadline: Deadline) -> Message:
    """Return the response over UDP or, if it is truncated, over TCP.

    Raises:
        OSError: there is none before the deadline.
        DNSException: there is none that can be parsed.
    """
    import dns.message  # noqa: PLC0415
    import dns.query  # noqa: PLC0415

    try:
        return dns.query.udp(question, address, deadline.left(), port, raise_on_truncation=True)
    except dns.message.Truncated:
        return dns.query.tcp(question, address, deadline.left(), port)


def _is_name(name: str) -> bool:
    """Return whether it is a valid DNS name: a redirect may contain anything."""
    import dns.exception  # noqa: PLC0415
    import dns.name  # noqa: PLC0415

    try:
        dns.name.from_text(f"{name}.")
    except (dns.exception.DNSException, ValueError):
        return False
    return True


def _read(response: Message, kind: str) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the aliases and the records of a response, by name."""
    import dns.rdatatype  # noqa: PLC0415

    aliases: dict[str, str] = {}
    records: dict[str, list[str]] = {}
    wanted = dns.rdatatype.from_text(kind)
    for rrset in response.answer:
        owner = rrset.name.to_text(omit_final_dot=True).lower()
        for record in rrset:
            if record.rdtype == dns.rdatatype.CNAME:
                aliases[owner] = record.target.to_text(omit_final_dot=True).lower()
            elif record.rdtype == wanted and kind == "CAA":
                value = record.value.decode("utf-8", "replace")
                records.setdefault(owner, []).append(f"{record.flags} {record.tag.decode('ascii', 'replace')} {value}")
            elif record.rdtype == wanted:
                records.setdefault(owner, []).append(record.address)
    return aliases, records


def _answer(response: Message) -> Answer:
    import dns.rcode  # noqa: PLC0415

    code = response.rcode()
    if code == dns.rcode.NXDOMAIN:
        return Answer.NO_NAME
    return Answer.EMPTY if code == dns.rcode.NOERROR else Answer.FAILED
