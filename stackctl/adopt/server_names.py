"""How nginx selects a server by its names."""

from __future__ import annotations

import re


def rank(text: str, name: str) -> tuple[int, int]:
    """Return how well a ``server_name`` matches a name in nginx's order, (0, 0) if it does not; the first wins."""
    length = len(text)
    if text in {name, f".{name}"}:
        return (4, 0)
    if text.startswith(("*.", ".")):
        return (3, length) if name.endswith(text.lstrip("*")) else (0, 0)
    if text.endswith(".*"):
        return (2, length) if name.startswith(text.rstrip("*")) else (0, 0)
    if text.startswith("~"):
        try:
            return (1, 0) if re.search(text[1:].replace("(?<", "(?P<"), name) else (0, 0)
        except re.error:
            return (0, 0)
    return (0, 0)
