"""Find paths and names that a pattern of an nginx configuration matches."""

from __future__ import annotations

import re

from stackctl.proxies.nginx.matching import python_pattern

_CLASS = re.compile(r"\[(\^?)(\]?[^\]]*)\]")
_TIMES = re.compile(r"[*+?]\??|\{(\d+)(?:,\d*)?\}\??")
_ESCAPED = {"d": "1", "w": "x", "s": " ", "S": "x", "D": "x", "W": "-", "b": "", "B": "", "A": "", "Z": "", "z": ""}
_EXCLUDED = "x1-/a0_."
_DEEPEST = 20
_LONGEST = 1000


def sample_path(pattern: str, *, ignore_case: bool = False) -> str | None:
    """Return a path that a regular expression of a location matches; None if none is found."""
    return _first_match(pattern, ("{}", "/x{}", "/{}"), "/", ignore_case=ignore_case)


def sample_name(pattern: str) -> str | None:
    """Return a name that a regular expression of ``server_name`` matches; None if none is found."""
    return _first_match(pattern, ("{}", "x{}", "x{}.example", "{}.example"), "", ignore_case=True)


def _first_match(pattern: str, forms: tuple[str, ...], start: str, *, ignore_case: bool) -> str | None:
    """Return the first form of a sample that begins with ``start`` and that the pattern (PCRE) matches.

    The sample takes the first alternative everywhere, and the shortest repetition that is not empty. As it is
    verified, what is not understood gives None, never a wrong text.
    """
    if "[[" in pattern or len(pattern) > _LONGEST:  # POSIX classes are Python's nested sets
        return None
    try:
        compiled = re.compile(python_pattern(pattern), re.IGNORECASE if ignore_case else 0)
        found = _sequence(pattern, 0, 0)[0]
    except (re.error, ValueError, IndexError):
        return None
    texts = (form.replace("{}", found) for form in forms)
    return next((text for text in texts if text.startswith(start) and compiled.search(text)), None)


def _sequence(pattern: str, at: int, depth: int) -> tuple[str, int]:
    """Return the sample of the first alternative from ``at``, and where the sequence of alternatives ends."""
    if depth > _DEEPEST:
        raise ValueError(pattern)
    parts: list[str] = []
    taken = True
    while at < len(pattern) and pattern[at] != ")":
        if pattern[at] == "|":
            taken, at = False, at + 1
            continue
        one, at = _atom(pattern, at, depth)
        times = _TIMES.match(pattern, at)
        if times is not None:
            at = times.end()
            one *= int(times[1]) if times[1] else 1
        if taken:
            parts.append(one)
    return "".join(parts), at


def _atom(pattern: str, at: int, depth: int) -> tuple[str, int]:
    """Return the sample of one atom at ``at``, and where it ends."""
    char = pattern[at]
    if char == "\\":
        return _ESCAPED.get(pattern[at + 1], pattern[at + 1]), at + 2
    if char == "[":
        return _of_class(pattern, at)
    if char == "(":
        inner = re.compile(r"\((?:\?(?:P?<\w+>|'\w+'|:|[a-z]+:))?").match(pattern, at)
        start = inner.end() if inner else at + 1
        # A look-around matches no text, and a negative one is met by most.
        silent = re.compile(r"\(\?(?:<?[=!])").match(pattern, at)
        text, end = _sequence(pattern, silent.end() if silent else start, depth + 1)
        if end >= len(pattern):
            raise ValueError(pattern)
        return "" if silent else text, end + 1
    if char in "^$":
        return "", at + 1
    return ("x" if char == "." else char), at + 1


def _of_class(pattern: str, at: int) -> tuple[str, int]:
    found = _CLASS.match(pattern, at)
    if found is None:
        raise ValueError(pattern)
    excluded, members = found[1], found[2]
    one = re.compile(found[0])
    candidates = _EXCLUDED if excluded else members + _EXCLUDED
    return next(char for char in candidates if one.fullmatch(char)), found.end()
