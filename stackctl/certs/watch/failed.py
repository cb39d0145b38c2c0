"""Read what the renewal loop leaves of a round that failed: the certificates, and certbot's output."""

from __future__ import annotations

import re
from typing import NamedTuple

_FAILED = re.compile(r"Failed to renew certificate (?P<name>\S+) with error: (?P<error>.*)")
_BROKEN = re.compile(r"Renewal configuration file \S*/(?P<name>[^/\s]+)\.conf\b(?P<error>.*)")
_DETAIL = re.compile(r" *Detail: (?P<text>.*)")


class Left(NamedTuple):
    """The parts of the file.

    Attributes:
        first: the time, the exit code, and the digest of certbot's settings.
        rows: of each certificate its name, the SHA-256 of its ``cert.pem``, and the digest of what certbot read of it.
    """

    first: tuple[str, str, str]
    rows: tuple[tuple[str, str, str], ...]
    output: str


def parts(text: str) -> Left:
    """Parse the file: one line for the round, one for each certificate, an empty line, certbot's output."""
    head, _, output = text.partition("\n\n")
    first, *rows = head.splitlines() or [""]
    return Left(_three(first), tuple(_three(row) for row in rows if row and row[0] != " "), output)


def _three(line: str) -> tuple[str, str, str]:
    one, two, three = [*line.split(" "), "", ""][:3]
    return one, two, three


def reasons(output: str) -> dict[str, str]:
    """Return certbot's words about each certificate: the CA's details, which precede certbot's own error."""
    found: dict[str, str] = {}
    details: list[str] = []
    for line in output.splitlines():
        if detail := _DETAIL.match(line):
            details.append(detail["text"])
        elif failed := _FAILED.search(line):
            found[failed["name"]] = "; ".join(dict.fromkeys(details)) or failed["error"]
            details = []
        elif broken := _BROKEN.search(line):
            found[broken["name"]] = f"its renewal file{broken['error']}"
    return found
