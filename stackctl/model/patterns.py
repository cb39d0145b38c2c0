r"""Regular expressions of routes: what every proxy and Python read alike, and nothing else.

They see bytes: a letter with an accent is two of them, and ``\w``, ``\d`` and ``(?i)`` know only ASCII.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import lru_cache

from stackctl.errors import InputError

_MOST = 1000
"""Repetitions in ``{…}``: PCRE counts to 65535, and some builds have room for fewer."""

_ESCAPE = r"\\(?:x[0-9A-Fa-f]{2}|[%s]|[^A-Za-z0-9])"
_SET = rf"\[\^?\]?(?:{_ESCAPE % 'dDwWsSbtnrf'}|[^\]\\\[])*\]"
_TOKEN = re.compile(
    rf"""
    {_ESCAPE % "dDwWsSbBAtnrf"} | \\[1-9](?![0-9])
    | (?P<set>{_SET})
    | \((?![?*]) | \(\?(?:[:=!]|<[=!]|i:)
    | \{{(?P<least>\d+)(?:,(?P<most>\d*))?\}}
    | [^\\\[({{]
    """,
    re.VERBOSE | re.DOTALL,
)
FOLDS = "(?i)"
"""The beginning of one for which upper and lower case are alike."""

_DOUBLED = re.compile(r"--|&&|~~|\|\|")
_NAMED = re.compile(r"\(\?P?[<'][A-Za-z_]")
_HINT = (
    "write it with what all of them know: groups (…) and (?:…), sets, *, +, ?, {1,3}, ^, $, |, \\d, \\w, \\s and \\b"
)


def pattern(text: str) -> str:
    """Return ``text`` if it is a regular expression that proxies and Python read alike.

    Raises:
        InputError: it is none, or has a part that means something else to one of them.
    """
    for _ in tokens(text):
        pass
    try:
        compiled(text)
    except (re.error, OverflowError, RecursionError, FutureWarning) as error:
        hint = "for upper and lower case alike, write ~(?i)…" if text.startswith("*") else None
        raise InputError(f"{text!r} is not a regular expression: {error}", hint=hint) from error
    return text


def tokens(text: str) -> Iterator[str]:
    """Yield the parts of a regular expression: characters, sets, the beginnings of groups, and counts.

    Raises:
        InputError: one of them means something else to one of the proxies.
    """
    if text.startswith(FOLDS):
        yield FOLDS
    position = len(FOLDS) if text.startswith(FOLDS) else 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        counts = [int(count) for count in match.group("least", "most") if count] if match else []
        if match is None or max(counts, default=0) > _MOST or _DOUBLED.search(match["set"] or ""):
            if _NAMED.match(text, position):
                raise InputError(
                    f"the regular expression {text!r} names a group, which would set a variable of the proxy",
                    hint="write the group without its name: (…)",
                )
            part = text[position : position + 6]
            raise InputError(f"in the regular expression {text!r}, proxies differ about {part!r}", hint=_HINT)
        yield match[0]
        position = match.end()


@lru_cache(maxsize=4096)
def compiled(text: str) -> re.Pattern[str]:
    """Return a regular expression for :func:`as_bytes` of a text."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", FutureWarning)
        return re.compile(as_bytes(text), re.ASCII)


def as_bytes(text: str) -> str:
    """Return a text with one character for each of its bytes in UTF-8."""
    return text.encode("utf-8", "surrogateescape").decode("latin-1")


def found(regex: str, text: str) -> bool:
    """Return whether a regular expression matches somewhere in ``text``."""
    return compiled(regex).search(as_bytes(text)) is not None
