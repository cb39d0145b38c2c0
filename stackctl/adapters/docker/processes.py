"""The processes of a container, as ``/proc`` inside of it shows them, for an engine that cannot list them.

``docker top`` fails where a rootless engine has no cgroups, and where the engine's host has no ``ps``.
"""

from __future__ import annotations

import re

from stackctl.observed.containers import Process

SCRIPT = r"""cat /proc/uptime
for one in /proc/[0-9]*; do
  facts=$(tr '\n' ' ' < "$one/stat") && args=$(tr '\000\n' '  ' < "$one/cmdline") && printf '%s\t%s\n' "$facts" "$args"
done 2>/dev/null
exit 0"""
"""Prints the seconds since the host's start, then the ``stat`` and the command line of each process."""

_ROW = re.compile(r"(?P<pid>\d+) \(.*\) (?P<rest>[^)\t]+)\t(?P<args>.*)")
_STARTED = 19
"""The place of a process's start among what follows its name; see proc_pid_stat(5)."""
_TICKS = 100
"""Of Linux, a second, in what it shows to programs."""


def listed(printed: str) -> tuple[Process, ...]:
    """Return the processes that :data:`SCRIPT` printed, with their ids inside of the container.

    Raises:
        ValueError: that is not what it prints.
    """
    uptime, *rows = printed.splitlines()
    now = float(uptime.split()[0])
    matches = [match for row in rows if (match := _ROW.fullmatch(row))]
    return tuple(
        Process(
            match["args"].strip(),
            max(0, int(now - int(match["rest"].split()[_STARTED]) / _TICKS)),
            int(match["pid"]),
        )
        for match in matches
    )
