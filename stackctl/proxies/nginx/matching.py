"""nginx: which names a ``server_name`` matches, and which texts a PCRE regex does."""

from __future__ import annotations

import re

from stackctl.proxies.trace import ServerMatch


def rank(pattern: str, name: str) -> tuple[int, int, ServerMatch] | None:
    """Return how well ``pattern`` matches: exact, longest leading wildcard, longest trailing one, first regex."""
    if pattern.startswith("~"):
        return (1, 0, ServerMatch.REGEX) if matches(pattern[1:], name, re.IGNORECASE) else None
    wanted = pattern.lower()
    bare = wanted.removeprefix(".")
    if name in {wanted, bare}:
        return 4, 0, ServerMatch.EXACT
    if wanted.startswith(("*.", ".")) and name.endswith(f".{wanted.lstrip('*').lstrip('.')}"):
        return 3, len(bare.removeprefix("*.")), ServerMatch.WILDCARD
    if wanted.endswith(".*") and name.startswith(wanted[:-1]):
        return 2, len(wanted), ServerMatch.WILDCARD
    return None


def matches(pattern: str, text: str, flags: int) -> bool:
    """Return whether a PCRE regex matches; one that Python cannot compile matches nothing."""
    try:
        return re.search(python_pattern(pattern), text, flags) is not None
    except re.error:
        return False


def python_pattern(pattern: str) -> str:
    """Return a PCRE regex as Python writes it: named groups and the end of the text differ."""
    ended = re.sub(r"\\(.)", lambda match: r"\Z" if match[1] == "z" else match[0], pattern, flags=re.DOTALL)
    return re.sub(r"\(\?(?:P?<|')(\w+)[>']", r"(?P<\1>", ended)
