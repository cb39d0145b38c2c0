"""Parse what the renewal loop leaves after a failed round: the certificates, and certbot's output."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stackctl.certs.issuer.single import problem_in
from stackctl.certs.problems import in_plain_words
from stackctl.model.layout import RENEWALS
from stackctl.times import read_seconds
from stackctl.wording import shortened

_FAILED = re.compile(r"Failed to renew certificate (?P<name>\S+) with error: (?P<error>.*)")
_BROKEN = re.compile(r"Renewal configuration file \S*/(?P<name>[^/\s]+)\.conf\b(?P<error>.*)")
_DETAIL = re.compile(r" *Detail: (?P<text>.*)")

_ARI = b"[acme_renewal_info]"
"""The section that certbot writes at the end of a renewal file (RFC 9773)."""

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
        states: the digest of what certbot read of each of them, and under an empty name of its settings for all; a
            loop of an earlier version recorded none.
    """

    at: datetime | None
    lineages: Mapping[str, str]
    words: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""
    states: Mapping[str, str] = field(default_factory=dict)


def state_digest(files: Mapping[str, bytes | None], not_links: Iterable[str] = ()) -> str:
    """Return the digest that the loop records of what certbot reads: ``files`` of its tree, by their paths."""
    bodies = {path: _read(path, body) for path, body in files.items() if body is not None}
    lines = [f"{hashlib.sha256(body).hexdigest()}  {path}" for path, body in bodies.items()]
    text = "".join(f"{line}\n" for line in sorted((*lines, *(f"file {path}" for path in not_links))))
    return hashlib.sha256(text.encode()).hexdigest()


def _read(path: str, body: bytes) -> bytes:
    """Return a file as the loop remembers it: a renewal file without the time that certbot notes at each round."""
    if not path.startswith(f"{RENEWALS}/"):
        return body
    lines = body.splitlines()
    end = next((number for number, line in enumerate(lines) if line.startswith(_ARI)), len(lines))
    return b"".join(line + b"\n" for line in lines[:end])


def read_failure(text: str) -> Failure:
    """Parse the file: time, code and state, one line for each certificate, an empty line, certbot's output."""
    head, _, output = text.partition("\n\n")
    first, *rows = head.splitlines() or [""]
    at, code, state = [*first.split(" "), "", ""][:3]
    fields = [[*row.split(" "), "", ""][:3] for row in rows if row and row[0] != " "]
    states = {"": state, **{name: now for name, _, now in fields}}
    return Failure(
        read_seconds(at),
        {name: digest for name, digest, _ in fields},
        _words(output),
        shortened(in_plain_words(problem_in(output)[1] or "") or f"certbot ended with {code or 'an error'}", _MOST),
        {name: recorded for name, recorded in states.items() if recorded},
    )


def _words(output: str) -> dict[str, str]:
    """Return certbot's words about each certificate: the CA's details, which precede certbot's own error."""
    found: dict[str, str] = {}
    details: list[str] = []
    for line in output.splitlines():
        if detail := _DETAIL.match(line):
            details.append(detail["text"])
        elif failed := _FAILED.search(line):
            found[failed["name"]] = shortened(
                "; ".join(dict.fromkeys(details)) or in_plain_words(failed["error"]), _MOST
            )
            details = []
        elif broken := _BROKEN.search(line):
            found[broken["name"]] = shortened(f"its renewal file{broken['error']}", _MOST)
    return found
