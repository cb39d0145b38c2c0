"""Parse what the renewal loop leaves after a failed round: the certificates, and certbot's output."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stackctl.certs.issuer.single import problem_in
from stackctl.times import read_seconds
from stackctl.wording import shortened

_FAILED = re.compile(r"Failed to renew certificate (?P<name>\S+) with error: (?P<error>.*)")
_BROKEN = re.compile(r"Renewal configuration file \S*/(?P<name>[^/\s]+)\.conf\b(?P<error>.*)")
_DETAIL = re.compile(r" *Detail: (?P<text>.*)")

_MOST = 240
"""Characters of certbot's words about one certificate."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A round that failed.

    Attributes:
        at: when it ended; None if that cannot be read.
        lineages: the certificates that were not renewed, each with the SHA-256 of its ``cert.pem`` then.
        words: what certbot said about each of them, as far as it is known.
        problem: what certbot said in the end; it is the whole reason if no certificate is named.
    """

    at: datetime | None
    lineages: Mapping[str, str]
    words: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def read_failure(text: str) -> Failure:
    """Parse the file: a line with time and exit code, one line for each certificate, an empty line, the output."""
    head, _, output = text.partition("\n\n")
    first, *rows = head.splitlines() or [""]
    lineages = {name: digest for name, _, digest in (row.partition(" ") for row in rows) if name}
    problem = shortened(problem_in(output)[1] or f"certbot ended with {first.partition(' ')[2] or 'an error'}", _MOST)
    return Failure(read_seconds(first.partition(" ")[0]), lineages, _words(output), problem)


def _words(output: str) -> dict[str, str]:
    """Return certbot's words about each certificate: the CA's details, which precede certbot's own error."""
    found: dict[str, str] = {}
    details: list[str] = []
    for line in output.splitlines():
        if detail := _DETAIL.match(line):
            details.append(detail["text"])
        elif failed := _FAILED.search(line):
            found[failed["name"]] = shortened("; ".join(dict.fromkeys(details)) or failed["error"], _MOST)
            details = []
        elif broken := _BROKEN.search(line):
            found[broken["name"]] = shortened(f"its renewal file{broken['error']}", _MOST)
    return found
