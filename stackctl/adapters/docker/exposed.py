"""Read the ports at which a resolved service serves inside its container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def exposed_ports(body: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the TCP ports in ``expose`` and ``ports`` of a resolved service; ``expose`` may have ranges."""
    found = {int(port["target"]) for port in body.get("ports") or () if port.get("protocol", "tcp") == "tcp"}
    for text in body.get("expose") or ():
        ports, _, protocol = str(text).partition("/")
        first, _, last = ports.partition("-")
        if protocol in {"", "tcp"} and first.isdigit():
            found.update(range(int(first), int(last if last.isdigit() else first) + 1))
    return tuple(sorted(found))
