"""Parse what the renewal loop leaves after a failed round: the certificates, and certbot's output."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from stackctl.certs.issuer.single import problem_in
from stackctl.certs.problems import in_plain_words
from stackctl.certs.watch.failed import parts, reasons
from stackctl.model.layout import RENEWALS
from stackctl.times import read_seconds
from stackctl.wording import shortened

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
    (at, code, state), rows, output = parts(text)
    states = {"": state, **{name: now for name, _, now in rows}}
    words = {name: shortened(in_plain_words(reason), _MOST) for name, reason in reasons(output).items()}
    return Failure(
        read_seconds(at),
        {name: digest for name, digest, _ in rows},
        words,
        shortened(in_plain_words(problem_in(output)[1] or "") or f"certbot ended with {code or 'an error'}", _MOST),
        {name: recorded for name, recorded in states.items() if recorded},
    )
