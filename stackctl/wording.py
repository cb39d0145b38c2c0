"""How lists, times and untrusted texts are written where a user reads them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime

_FEW = 5
"""How many members of a list are named."""

_UNSAFE = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 without tab and line feed, DEL, C1
    r"\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # what changes the direction of writing
    r"\u2028\u2029"  # line breaks that no line-based tool sees
    r"\ud800-\udfff]"  # bytes that are not UTF-8, as Python keeps them
)


def listed(names: Sequence[str], most: int = _FEW) -> str:
    """Return the first ``most`` names, and how many more there are; for 0, how many there are."""
    if len(names) <= most:
        return ", ".join(names)
    more = f"{len(names) - most} more"
    return f"{', '.join(names[:most])} and {more}" if most else str(len(names))


def either(names: Sequence[str], most: int = _FEW) -> str:
    """Return names of which one is meant: ``a, b or c``; at most ``most`` of them."""
    if len(names) > most:
        return f"one of {listed(names, most)}"
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last


def on_one_line(text: str) -> str:
    """Return untrusted ``text`` on one line: a question mark for each character that is not printable."""
    return "".join(char if char.isprintable() else "?" for char in text)


def printable(text: str) -> str:
    """Return ``text`` with every character escaped that could control a terminal or turn the direction of writing.

    Line feeds and tabs stay.
    """
    return _UNSAFE.sub(_escaped, text.replace("\r\n", "\n"))


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def shortened(text: str, most: int) -> str:
    """Return ``text`` with at most ``most`` characters; it is cut between words and ends in an ellipsis."""
    if len(text) <= most:
        return text
    head = text[: most - 1].rpartition(" ")[0] or text[: most - 2]
    return f"{head} …"


def span(seconds: int) -> str:
    """Return a time that has passed, in its largest unit: ``40 s``, ``12 min``, ``3 h``, ``2 d``."""
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def size(number: int) -> str:
    """Return a number of bytes in its largest unit: ``512 B``, ``1.5 kB``."""
    value = float(number)
    for unit in ("B", "kB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:,.1f} GB"


def moment(at: datetime) -> str:
    """Return a time in the user's time zone, which it names."""
    return f"{at.astimezone():%Y-%m-%d %H:%M %Z}"


def clock(at: datetime) -> str:
    """Return the time of day in the user's time zone, to the second."""
    return f"{at.astimezone():%H:%M:%S}"


def day(at: datetime) -> str:
    """Return the day that a time is on in the user's time zone."""
    return f"{at.astimezone():%Y-%m-%d}"


def iso(at: datetime) -> str:
    """Return a time in ISO 8601, in UTC, as JSON has it."""
    return at.astimezone(UTC).isoformat()
