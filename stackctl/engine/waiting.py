"""Wait for a condition with a deadline, never for a guessed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

_FIRST_PAUSE, _LONGEST_PAUSE = 0.02, 0.5


def wait_for(look: Callable[[], T | None], seconds: float) -> T | None:
    """Return the result of ``look`` as soon as it is not None, or None after ``seconds``."""
    deadline = time.monotonic() + seconds
    pause = _FIRST_PAUSE
    while True:
        found = look()
        if found is not None:
            return found
        left = deadline - time.monotonic()
        if left <= 0:
            return None
        time.sleep(min(pause, left))
        # Each pause is longer, but by no more than a fifth of the previous one.
        pause = min(pause * 1.2, _LONGEST_PAUSE)
