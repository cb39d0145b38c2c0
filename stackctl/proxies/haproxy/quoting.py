"""HAProxy: texts as words of its configuration."""

from __future__ import annotations

import re

from stackctl.errors import InputError

_PLAIN = re.compile(r"[A-Za-z0-9_./:,=+@^*-]+\Z")


def word(text: str) -> str:
    """Return ``text`` as one word, in which HAProxy replaces nothing.

    Raises:
        InputError: it has a control character, which no line of a configuration can have.
    """
    if any(ord(char) < 32 or char == "\x7f" for char in text):
        raise InputError(f"{text!r} has a control character, which HAProxy does not accept")
    return text if _PLAIN.match(text) else "'" + text.replace("'", r"'\''") + "'"


def regex(text: str) -> str:
    """Return a regular expression as one word; a control character in it becomes its escape."""
    return word("".join(f"\\x{ord(char):02x}" if ord(char) < 32 or char == "\x7f" else char for char in text))


def fmt(text: str) -> str:
    """Return ``text`` as a part of a format in which HAProxy replaces nothing."""
    return text.replace("%", "%%")
