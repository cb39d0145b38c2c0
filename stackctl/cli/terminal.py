"""Detects whether the user can be prompted."""

from __future__ import annotations

import sys


def has_terminal() -> bool:
    """Return whether standard input is a terminal, so that the user can answer a prompt."""
    return sys.stdin.isatty()
