"""Open a copy of a file in the user's editor."""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from stackctl.adapters.disk.files import host_errors, read_or_none
from stackctl.errors import HostError, InputError, StackfileError

DEFAULT = "vi"


class Draft:
    """A copy of ``original`` that contains ``text``; only its owner can read it.

    It is in the same directory, so that the editor's settings for the directory apply to it too.
    """

    def __init__(self, original: Path, text: str) -> None:
        self._original = original
        self._text = text
        with host_errors():
            descriptor, name = tempfile.mkstemp(
                prefix=f".{original.stem}.", suffix=f".edit{original.suffix}", dir=original.parent
            )
            self.path = Path(name)
            with os.fdopen(descriptor, "wb") as file:
                file.write(text.encode())

    @property
    def is_edited(self) -> bool:
        """Whether the user has changed it."""
        there = read_or_none(self.path)
        return there is not None and there != self._text.encode()

    def edit(self, environment: Mapping[str, str]) -> str:
        """Open it in the editor that ``VISUAL``, else ``EDITOR``, names, and return the edited text.

        Raises:
            InputError: there is no such editor.
            HostError: the editor failed.
            StackfileError: the edited text is not UTF-8.
        """
        named = environment.get("VISUAL") or environment.get("EDITOR") or DEFAULT
        try:
            command = [*shlex.split(named), str(self.path)]
            code = subprocess.run(command, check=False).returncode  # noqa: S603  (the user's own choice)
        except (OSError, ValueError) as error:
            raise InputError(
                f"the editor {named!r} cannot be started: {error}", hint="name another one in the variable EDITOR"
            ) from error
        if code:
            raise HostError(f"the editor {named!r} ended with {code}", hint="nothing was changed")
        with host_errors():
            try:
                return self.path.read_bytes().decode()
            except UnicodeDecodeError as error:
                raise StackfileError("not UTF-8 text", where=self._original.name) from error

    def remove(self) -> None:
        """Remove it; a directory that the editor made in its place is left."""
        with suppress(IsADirectoryError):
            self.path.unlink(missing_ok=True)
