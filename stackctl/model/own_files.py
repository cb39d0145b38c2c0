"""Paths of the user's files that keys name, relative to the stack's directory."""

from __future__ import annotations

import re

from stackctl.errors import InputError
from stackctl.model.layout import SECRET_FOLDERS

_STEP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\Z")


def path_below(text: str, what: str, example: str, otherwise: str = "") -> str:
    """Return ``text`` as the path of ``what``; ``otherwise`` is what else to do for a file that is elsewhere."""
    steps = text.removeprefix("./").split("/")
    if text.startswith("/") or ".." in steps:
        raise InputError(
            f"{text!r} is not below the stack's directory", hint=f"write a path such as {example}{otherwise}"
        )
    if not all(_STEP.match(step) for step in steps):
        raise InputError(
            f"{text!r} is not the path of {what}",
            hint=f"use letters, digits, '.', '_' and '-' in the names, such as {example}",
        )
    return "/".join(steps)


def own_file(text: str) -> str:
    """Return ``text`` as the path of a file that the proxy reads, and that is no page."""
    path = path_below(text, "a file", "secrets/staging.htpasswd")
    if any(path == folder or path.startswith(f"{folder}/") for folder in SECRET_FOLDERS):
        raise InputError(f"{path} is a file of stackctl's own", hint="use a path such as secrets/staging.htpasswd")
    return path
