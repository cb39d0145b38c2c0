"""The health checks of a HAProxy back end as the key ``health``."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from stackctl.adopt.haproxy.words import Line
from stackctl.errors import InputError
from stackctl.model import values
from stackctl.proxies.haproxy.units import milliseconds, time
from stackctl.stackfile.services import Value


def duration(text: str) -> str | None:
    """Return a time as ``x-stackctl`` has it; None for one that it cannot have."""
    found = re.fullmatch(r"(\d+)(us|ms|s|m|h|d)?", text)
    if found is None:
        return None
    number, unit = int(found[1]), found[2] or "ms"
    written = time(f"{max(1, number // 1000)}ms" if unit == "us" else f"{number}{unit}")
    try:
        return values.duration(written)
    except InputError:
        return None


def health_of(lines: Sequence[Line], options: Mapping[str, str], timeout: str | None) -> dict[str, Value] | None:
    """Return the block ``health`` of a check; None if that would ask or expect something else."""
    method, path, status = "OPTIONS", "", "200-399"
    for line in lines:
        words = list(line.words)
        if line.starts("option", "httpchk"):
            given = words[2:4]
            path = given[-1] if given else path
            method = given[0] if len(given) > 1 else method
        elif line.starts("http-check", "expect", "status") and len(words) == 4:
            status = words[3]
        elif line.starts("http-check", "send"):
            pairs = dict(zip(words[2::2], words[3::2], strict=False))
            if pairs.keys() - {"meth", "uri", "ver"}:
                return None
            method, path = pairs.get("meth", method), pairs.get("uri", path)
        else:
            return None
    if method not in {"GET", "HEAD"} or options.keys() & {"fastinter", "downinter", "check-ssl", "agent-check"}:
        return None
    interval = duration(options.get("inter", "2s"))
    whole = max(1, round(milliseconds(interval) / 1000)) if interval else 2
    wait = min(milliseconds(timeout or f"{whole}s"), whole * 1000)
    found: dict[str, Value] = {"path": path, "status": status, "interval": f"{whole}s", "timeout": time(f"{wait}ms")}
    found |= {key: int(options[key]) for key in ("rise", "fall") if options.get(key, "").isdigit()}
    try:
        values.request_path(path)
        values.statuses(status)
    except InputError:
        return None
    return found
