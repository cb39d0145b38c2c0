"""Ask one DNS server one question, over UDP and, if the answer is truncated, over TCP (RFC 1035)."""

from __future__ import annotations

import secrets
import socket
import struct
import time
from dataclasses import dataclass, field

PORT = 53
A, NS, CNAME, SOA, TXT, AAAA, OPT = 1, 2, 5, 6, 16, 28, 41
NOERROR, SERVFAIL, NXDOMAIN, REFUSED = 0, 2, 3, 5
CODES = {1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 9: "NOTAUTH"}

_RESPONSE, _AUTHORITATIVE, _TRUNCATED, _RECURSE, _UNCHECKED = 0x8000, 0x0400, 0x0200, 0x0100, 0x0010
_PAYLOAD = 1232
"""The largest UDP answer that is not fragmented (DNS flag day 2020)."""

_LONGEST_NAME = 255
_TRIES = 2


class Unanswered(Exception):
    """A server gives no answer that can be read; the text says why."""


@dataclass(frozen=True)
class Record:
    """One record: a name in lower case without the last dot, and its value as text."""

    name: str
    kind: int
    value: str


@dataclass
class Reply:
    """The answer of a server.

    Attributes:
        authoritative: whether the server has the zone itself.
        answers: the records of the answer section; ``authority`` and ``additional`` likewise.
    """

    code: int
    authoritative: bool
    answers: list[Record] = field(default_factory=list)
    authority: list[Record] = field(default_factory=list)
    additional: list[Record] = field(default_factory=list)

    def of(self, name: str, kind: int) -> list[str]:
        """Return the values of a name in the answer section."""
        return [one.value for one in self.answers if one.name == name and one.kind == kind]


def ask(  # noqa: PLR0913  (a server, a question, and how it is asked)
    server: tuple[str, int],
    name: str,
    kind: int,
    *,
    recurse: bool = False,
    unchecked: bool = False,
    seconds: float = 2.0,
) -> Reply:
    """Return the answer of ``server``; ``unchecked`` lets a resolver answer what DNSSEC says is forged.

    Raises:
        Unanswered: there is none within ``seconds``.
    """
    number = secrets.randbits(16)
    flags = (_RECURSE if recurse else 0) | (_UNCHECKED if unchecked else 0)
    question = _wire_name(name) + struct.pack("!HH", kind, 1)
    option = b"\0" + struct.pack("!HHIH", OPT, _PAYLOAD, 0, 0)
    query = struct.pack("!HHHHHH", number, flags, 1, 0, 0, 1) + question + option
    end = time.monotonic() + seconds
    try:
        answer = _over_udp(server, query, question, end)
        if struct.unpack_from("!H", answer, 2)[0] & _TRUNCATED:
            answer = _over_tcp(server, query, question, end)
        return _read(answer)
    except socket.timeout:  # noqa: UP041  (another class before Python 3.10)
        raise Unanswered("no answer") from None
    except OSError as error:
        raise Unanswered((error.strerror or str(error)).lower()) from None
    except (ValueError, IndexError, struct.error):
        raise Unanswered("an answer that cannot be read") from None


def _over_udp(server: tuple[str, int], query: bytes, question: bytes, end: float) -> bytes:
    with socket.socket(_family(server), socket.SOCK_DGRAM) as sender:
        sender.connect(server)
        for left in range(_TRIES, 0, -1):
            sender.send(query)
            until = time.monotonic() + max(0.0, end - time.monotonic()) / left
            while (rest := until - time.monotonic()) > 0:
                sender.settimeout(rest)
                try:
                    answer = sender.recv(65535)
                except socket.timeout:  # noqa: UP041
                    break
                if _answers(answer, query, question):
                    return answer
    raise socket.timeout  # noqa: UP041


def _over_tcp(server: tuple[str, int], query: bytes, question: bytes, end: float) -> bytes:
    with socket.create_connection(server, _left(end)) as stream:
        stream.sendall(struct.pack("!H", len(query)) + query)
        (length,) = struct.unpack("!H", _exactly(stream, 2, end))
        answer = _exactly(stream, length, end)
    if not _answers(answer, query, question):
        raise ValueError
    return answer


def _exactly(stream: socket.socket, count: int, end: float) -> bytes:
    found = b""
    while len(found) < count:
        stream.settimeout(_left(end))
        part = stream.recv(count - len(found))
        if not part:
            raise ValueError
        found += part
    return found


def _left(end: float) -> float:
    """Return the seconds until ``end``; no call of a socket may wait for ever."""
    return max(0.001, end - time.monotonic())


def _family(server: tuple[str, int]) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in server[0] else socket.AF_INET


def _answers(answer: bytes, query: bytes, question: bytes) -> bool:
    """Return whether it is an answer to this question; letters may come back in another case."""
    if len(answer) < 12 or answer[:2] != query[:2] or not answer[2] & (_RESPONSE >> 8):
        return False
    return answer[12 : 12 + len(question)].lower() == question.lower()


def _wire_name(name: str) -> bytes:
    labels = [label.encode("ascii") for label in name.rstrip(".").split(".") if label]
    if any(len(label) > 63 for label in labels) or sum(len(label) + 1 for label in labels) >= _LONGEST_NAME:
        raise Unanswered("no valid name")
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def _read(answer: bytes) -> Reply:
    _, flags, questions, *counts = struct.unpack_from("!HHHHHH", answer)
    at = 12
    for _ in range(questions):
        at = _name(answer, at)[1] + 4
    sections: list[list[Record]] = []
    for count in counts:
        records: list[Record] = []
        for _ in range(count):
            name, at = _name(answer, at)
            kind, _, _, length = struct.unpack_from("!HHIH", answer, at)
            at += 10
            if at + length > len(answer):
                raise ValueError
            if kind != OPT:
                records.append(Record(name, kind, _value(answer, kind, at, length)))
            at += length
        sections.append(records)
    return Reply(flags & 15, bool(flags & _AUTHORITATIVE), *sections)


def _name(answer: bytes, at: int) -> tuple[str, int]:
    """Return the name at an offset, and the offset behind it; pointers lead backwards only, so they end."""
    labels: list[str] = []
    end, size = -1, 0
    while (length := answer[at]) != 0:
        if length & 0xC0 == 0xC0:
            target = struct.unpack_from("!H", answer, at)[0] & 0x3FFF
            end = at + 2 if end < 0 else end
            if target >= at:
                raise ValueError
            at = target
            continue
        size += length + 1
        if length & 0xC0 or size > _LONGEST_NAME or at + 1 + length > len(answer):
            raise ValueError
        labels.append(answer[at + 1 : at + 1 + length].decode("ascii", "replace").lower())
        at += 1 + length
    return ".".join(labels), at + 1 if end < 0 else end


def _value(answer: bytes, kind: int, at: int, length: int) -> str:
    if kind == A and length == 4:
        return socket.inet_ntop(socket.AF_INET, answer[at : at + 4])
    if kind == AAAA and length == 16:
        return socket.inet_ntop(socket.AF_INET6, answer[at : at + 16])
    if kind in {NS, CNAME}:
        return _name(answer, at)[0]
    if kind == SOA:
        first, behind = _name(answer, at)
        return f"{first} {struct.unpack_from('!I', answer, _name(answer, behind)[1])[0]}"
    if kind == TXT:
        parts, end = b"", at + length
        while at < end:
            parts += answer[at + 1 : at + 1 + answer[at]]
            at += 1 + answer[at]
        return parts.decode("utf-8", "replace")
    return ""
