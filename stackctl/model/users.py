"""Files with users and hashed passwords, as htpasswd writes them: read, checked, and changed line by line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from stackctl.errors import InputError

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}\Z")
LONGEST_PASSWORD, SHORTEST_PASSWORD = 200, 8
MOST_ROUNDS = 20_000
"""Of a hash: each request with a password computes it, and meanwhile its worker answers nobody else."""

_BCRYPT = re.compile(r"\$2[abxy]\$(\d\d)\$[./A-Za-z0-9]{53}\Z")
_SHA_CRYPT = re.compile(r"\$([56])\$(?:rounds=(\d+)\$)?[^$:]{0,16}\$[./A-Za-z0-9]+\Z")
_APR1 = re.compile(r"\$(?:apr1|1)\$[./A-Za-z0-9]{1,8}\$[./A-Za-z0-9]{22}\Z")
_COST = 5
"""The highest cost of bcrypt that is accepted: 3 ms. Cost 12 takes 850 ms of a worker for each request."""


@dataclass(frozen=True, slots=True)
class UserRow:
    """One user of a file.

    Attributes:
        line: its number, from 1.
        problem: why nobody should use the hash; empty if it is fine.
    """

    name: str
    line: int
    hash: str
    problem: str = ""
    hint: str = ""


def user_name(text: str) -> str:
    """Return ``text`` as the name of a user: a colon would end it in the file and in a request (RFC 7617)."""
    if not _NAME.match(text):
        raise InputError(
            f"{text!r} is not the name of a user",
            hint="use up to 64 letters, digits and '.', '_', '@', '+', '-', such as ann or ann@example.com",
        )
    return text


def password(text: str) -> str:
    """Return ``text`` as a new password."""
    if len(text) < SHORTEST_PASSWORD:
        raise InputError(
            f"the password has {len(text)} characters, and at least {SHORTEST_PASSWORD} are needed",
            hint="'openssl rand -base64 18' prints a good one",
        )
    if len(text) > LONGEST_PASSWORD or not text.isprintable():
        raise InputError(f"a password is one line of at most {LONGEST_PASSWORD} printable characters")
    return text


def read_users(content: bytes) -> list[UserRow]:
    """Return the users of a file, in order; comments and empty lines are none."""
    rows: list[UserRow] = []
    for number, line in enumerate(content.decode("utf-8", "replace").split("\n"), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        name, colon, rest = line.partition(":")
        hashed = rest.partition(":")[0]
        problem, hint = _problem(name, hashed) if colon else ("there is no colon behind the name", "write NAME:HASH")
        if any(row.name == name for row in rows) and not problem:
            problem, hint = f"{name} is there twice, and only the first counts", "remove one of the lines"
        rows.append(UserRow(name, number, hashed, problem, hint))
    return rows


def _problem(name: str, hashed: str) -> tuple[str, str]:
    """Return what is wrong with a hash, and what to do."""
    if not name:
        return "there is no name before the colon", "write NAME:HASH"
    problem = f"{name} has no password" if not hashed else _trouble(name, hashed)
    return problem, f"set it again with 'stackctl user add DOMAIN {name}'" if problem else ""


def _trouble(name: str, hashed: str) -> str:
    """Return why a hash is of no use; the times are those of one worker at 2 GHz."""
    slow = ""
    if bcrypt := _BCRYPT.match(hashed):
        cost = int(bcrypt[1])
        slow = f"is bcrypt of cost {cost}, which takes a worker {_time(0.85 * 2.0 ** (cost - 12))}" * (cost > _COST)
    elif sha := _SHA_CRYPT.match(hashed):
        rounds = int(sha[2] or 5000)
        slow = f"has {rounds} rounds, which take a worker {_time(rounds * 4e-6)}" * (rounds > MOST_ROUNDS)
    elif hashed.startswith("$y$"):
        slow = "is yescrypt, which takes a worker 70 ms"
    elif hashed.startswith("{PLAIN}"):
        return f"the password of {name} is not hashed"
    elif hashed.startswith("$") and not _APR1.match(hashed):
        return f"no proxy knows the hash of {name}"
    return f"the hash of {name} {slow} for each request" if slow else ""


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{seconds * 1000:.0f} ms"


def with_user(content: bytes, name: str, hashed: str) -> bytes:
    """Return the file with the password of a user set; all other lines stay as they are."""
    lines, written = _lines(content), f"{name}:{hashed}"
    found = [number for number, line in enumerate(lines) if line.partition(":")[0] == name]
    if found:
        before = lines[found[0]]
        comment = before.rstrip("\r").split(":", 2)[2:]
        lines[found[0]] = ":".join([written, *comment]) + "\r" * before.endswith("\r")
        lines = [line for number, line in enumerate(lines) if number not in found[1:]]
    else:
        lines.append(written + "\r" * bool(lines and lines[-1].endswith("\r")))
    return _content(lines)


def without_user(content: bytes, name: str) -> bytes | None:
    """Return the file without a user; None if it is not there."""
    lines = _lines(content)
    left = [line for line in lines if line.partition(":")[0] != name or line.startswith("#")]
    if len(left) == len(lines):
        return None
    return _content(left)


def _lines(content: bytes) -> list[str]:
    """Return the lines as a proxy tells them apart: by LF alone; those of an editor on Windows end in CR."""
    lines = content.decode("utf-8", "surrogateescape").split("\n")
    return lines if lines[-1] else lines[:-1]


def _content(lines: Sequence[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
