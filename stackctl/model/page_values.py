"""Values of the keys about pages and maintenance: each is accepted here once, or refused."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from stackctl.errors import InputError
from stackctl.model.own_files import path_below
from stackctl.model.pages import CONTENT_TYPES

LARGEST_PAGE = 1024 * 1024
"""The largest page, in bytes: it is part of every generation."""

LONGEST_MESSAGE = 500

_LAST_YEAR = 2200
"""Beyond it, the seconds since 1970 have another number of digits, by which they are compared."""


def page_path(text: str) -> str:
    """Return ``text`` as the path of a page, relative to the stack's directory."""
    path = path_below(text, "a page", "pages/502.html")
    if path.rpartition("/")[2].rpartition(".")[2] not in CONTENT_TYPES:
        raise InputError(
            f"{text!r} has no ending that tells its content type", hint=f"use one of: {', '.join(CONTENT_TYPES)}"
        )
    return path


def list_path(text: str) -> str:
    """Return ``text`` as the path of a list of addresses, relative to the stack's directory."""
    if not text.endswith(".txt"):
        raise InputError(f"{text!r} is not a text file", hint="write a path such as lists/blocked.txt")
    return page_path(text)


def error_status(text: str) -> int:
    """Return ``text`` as the status of an error."""
    if not re.fullmatch(r"[45][0-9][0-9]", text) or text in {"444", "494", "495", "496", "497", "499"}:
        raise InputError(f"{text!r} is not the status of an error", hint="write one of 400 to 599, such as 502")
    return int(text)


def message(text: str) -> str:
    """Return ``text`` as the message of a maintenance."""
    if not text.strip() or not text.isprintable():
        raise InputError("a message is one line of printable text")
    if len(text) > LONGEST_MESSAGE:
        raise InputError(
            f"the message has {len(text)} characters, and at most {LONGEST_MESSAGE} are allowed",
            hint="put a longer text into a file, and name it as the page",
        )
    return text


def moment(text: str) -> datetime:
    """Return ``text`` as a time with its offset from UTC (RFC 3339), in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InputError(
            f"{text!r} is not a time with its offset from UTC",
            hint="write it as 2026-11-27T18:00:00Z or 2026-11-27T18:00:00+01:00",
        )
    try:
        there = found.astimezone(UTC).replace(microsecond=0)
    except (OverflowError, ValueError):
        there = None
    if there is None or not 2001 < there.year < _LAST_YEAR:
        raise InputError(f"{text!r} is no time of this century")
    return there
