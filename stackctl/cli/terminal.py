"""Whether the user can be asked."""

from __future__ import annotations

import sys


def has_terminal() -> bool:
    """Return whether standard input is a terminal, so that a question can be answered."""
    return sys.stdin.isatty()
