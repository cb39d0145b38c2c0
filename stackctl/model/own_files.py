"""Files of the user's that keys name and the proxy reads, which are not pages."""

from __future__ import annotations

import re

from stackctl.errors import InputError
from stackctl.model.layout import SECRET_FOLDERS

_STEP = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\Z")


def own_file(text: str) -> str:
    """Return ``text`` as the path of a file of the user's, relative to the stack's directory."""
    steps = text.removeprefix("./").split("/")
    if text.startswith("/") or ".." in steps:
        raise InputError(
            f"{text!r} is not below the stack's directory", hint="write a path such as secrets/staging.htpasswd"
        )
    if not all(_STEP.match(step) for step in steps):
        raise InputError(
            f"{text!r} is not the path of a file",
            hint="use letters, digits, '.', '_' and '-' in the names, such as secrets/staging.htpasswd",
        )
    path = "/".join(steps)
    if any(path == folder or path.startswith(f"{folder}/") for folder in SECRET_FOLDERS):
        raise InputError(f"{path} is a file of stackctl's own", hint="use a path such as secrets/staging.htpasswd")
    return path
