"""Standard input: whether the user can be prompted there, and its first line."""

from __future__ import annotations

import sys

_LONGEST = 4096


def has_terminal() -> bool:
    """Return whether standard input is a terminal, so that the user can answer a prompt."""
    return sys.stdin.isatty()


def first_line() -> bytes:
    """Return the first line of standard input without its end, such as a password; empty if there is none."""
    return sys.stdin.buffer.readline(_LONGEST).rstrip(b"\r\n")
