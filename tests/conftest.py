"""What holds for every test."""

from __future__ import annotations

import os
import time

# Times are printed in the user's time zone.
os.environ["TZ"] = "UTC"
time.tzset()

_LONGEST_NAME = 80


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name cases so that every worker of pytest-xdist finds the same ones: not by addresses and not by random keys."""
    if callable(val) and not isinstance(val, type):
        return str(getattr(val, "__name__", argname))
    return argname if isinstance(val, bytes) and len(val) > _LONGEST_NAME else None
