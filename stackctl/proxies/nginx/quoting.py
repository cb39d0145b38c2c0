"""nginx: texts and names as parameters and regular expressions of its configuration."""

from __future__ import annotations

import re
from collections.abc import Sequence

from stackctl.errors import InputError
from stackctl.model.values import Domain

_PLAIN_PATH = re.compile(r"[A-Za-z0-9/._~-]+\Z")


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


_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def literal(text: str) -> str:
    """Return ``text`` as one parameter where nginx replaces no variables: a location, a regex, a value of ``geo``.

    Raises:
        InputError: it has a control character that nginx has no escape for.
    """
    if any((ord(char) < 32 and char not in _ESCAPES) or char == "\x7f" for char in text):
        raise InputError(f"{text!r} has a control character, which nginx does not accept")
    return '"' + "".join(_ESCAPES.get(char, char) for char in text) + '"'


def location_path(path: str) -> str:
    """Return a path as the parameter of ``location``, in quotes where it needs them."""
    return path if _PLAIN_PATH.match(path) else literal(path)


def alternatives(names: Sequence[Domain]) -> str:
    """Return the part of a regex that is any of these names."""
    return "|".join(re.escape(name).replace(r"\*", "[^.]+") for name in names)


def any_of(names: Sequence[Domain]) -> str:
    """Return a regex for exactly these names."""
    return nginx_regex(alternatives(names))


def nginx_regex(choices: str) -> str:
    """Return alternatives as an anchored regex in quotes; names of sites have no character that quotes need."""
    return f'"^({choices})\\Z"'
