"""Asks programs of this host that only look: systemd, firewalls, SELinux."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

_SECONDS = 5.0
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
_MOST = 1 << 20


def printed(command: Sequence[str]) -> str | None:
    """Return what a program printed; None where there is none, or it may not be asked.

    Its exit code may say what it found, so a program that printed something has answered.
    """
    environment = {**os.environ, "LC_ALL": "C", "PATH": _PATH}
    try:
        done = subprocess.run(  # noqa: S603  (fixed argv)
            command,
            env=environment,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout[:_MOST].decode("utf-8", "replace") or None
