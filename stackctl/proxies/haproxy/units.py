"""HAProxy: sizes and times of the Compose file in the units that it has."""

from __future__ import annotations

import re

_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "M": 2592000, "y": 31536000}
_BYTES = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_LONGEST = 2**31 - 1
"""Milliseconds: HAProxy's timers have 32 bits."""


def milliseconds(text: str) -> int:
    """Return a time such as ``60s`` or ``1h 30m`` in milliseconds."""
    total = 0
    for number, unit in re.findall(r"([0-9]+)(ms|[smhdwMy]?)", text):
        total += int(number) if unit == "ms" else int(number) * _SECONDS[unit] * 1000
    return min(total, _LONGEST)


def time(text: str) -> str:
    """Return a time as HAProxy has it, in its largest unit."""
    left = milliseconds(text)
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000)):
        if left and left % size == 0:
            return f"{left // size}{unit}"
    return f"{left}ms"


def size(text: str) -> int:
    """Return a size such as ``64m`` in bytes."""
    number, unit = re.fullmatch(r"([0-9]+)([kKmMgG]?)", text).groups()  # type: ignore[union-attr]
    return int(number) * _BYTES[unit.lower()]
