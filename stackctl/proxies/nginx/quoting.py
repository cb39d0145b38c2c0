"""nginx: texts and names as parameters and regular expressions of its configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stackctl.errors import InputError
from stackctl.model.values import Domain


def nginx_quote(text: str) -> str:
    """Return ``text`` as one nginx parameter.

    Raises:
        InputError: no quoting makes it safe.
    """
    if any(ord(char) < 32 or char == "\x7f" for char in text):
        raise InputError(f"{text!r} has a control character, which nginx does not accept")
    if "$" in text:
        # nginx has no escape for a dollar sign where it replaces variables.
        raise InputError(f"{text!r} has a '$', which nginx would read as a variable")
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def any_of(names: Sequence[Domain]) -> str:
    """Return a regex for exactly these names."""
    return nginx_regex("|".join(re.escape(name) for name in names))


def nginx_regex(alternatives: str) -> str:
    """Return alternatives as an anchored regex in quotes; names of sites have no character that quotes need."""
    return f'"^({alternatives})\\Z"'
