"""Values of a new Compose service: each is accepted here once, or refused."""

from __future__ import annotations

import re

from stackctl.errors import InputError

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,199}\Z")
_VOLUME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,199}\Z")
_MODES = ("ro", "rw")


def variable(text: str) -> tuple[str, str]:
    """Return ``KEY=VALUE`` as a variable of the environment and its value."""
    name, equals, value = text.partition("=")
    if not equals or not _VARIABLE.match(name):
        raise InputError(
            f"{text!r} is not KEY=VALUE", hint="write it as LOG_LEVEL=info; secrets belong in a file of variables"
        )
    if "\0" in value:
        raise InputError(f"the value of {name} contains a zero byte, which no environment can")
    return name, value


def mount(text: str) -> tuple[str, str | None]:
    """Return ``SOURCE:TARGET[:ro]`` as Compose writes it, and the named volume that it needs; None for a path."""
    source, *rest = text.split(":")
    target, mode = (rest[0] if rest else ""), rest[1:]
    is_path = source.startswith(("/", "./", "../", "~/"))
    if not target.startswith("/") or (mode and mode not in [[one] for one in _MODES]) or "\0" in text:
        raise InputError(
            f"{text!r} is not SOURCE:TARGET", hint="write it as data:/var/lib/app, ./config:/etc/app:ro or /srv/x:/x"
        )
    if not is_path and not _VOLUME.match(source):
        raise InputError(
            f"{source!r} is neither a path nor the name of a volume", hint="begin a path with ./ or /, such as ./data"
        )
    return text, None if is_path else source
