"""Asks for the passphrase of a file once, or reads it where no user can be asked; it is never an argument."""

from __future__ import annotations

from pathlib import Path

import typer

from stackctl.cli import terminal
from stackctl.errors import InputError


class Asking:
    """Returns the passphrase of files: that of ``file``, whose name ``-`` is standard input, or what the user types.

    Args:
        file: the file with the passphrase in its first line; None to ask the user.
        confirm: whether the user types it twice: it encrypts.
    """

    def __init__(self, file: Path | None, *, confirm: bool = False) -> None:
        self._file, self._confirm = file, confirm
        self._known: bytes | None = None

    def __call__(self, name: str) -> bytes:
        """Return the passphrase for the file ``name``."""
        if self._known is None:
            self._known = self._asked(name)
        return self._known

    def _asked(self, name: str) -> bytes:
        if self._file == Path("-"):
            line = terminal.first_line()
            if not line:
                raise InputError("the first line of standard input is empty", field="passphrase_file")
            return line
        if self._file is not None:
            from stackctl.engine.backup.sealing import read_passphrase

            return read_passphrase(self._file).encode()
        if not terminal.has_terminal():
            raise InputError(
                "it needs a passphrase, and there is no terminal to ask for it",
                where=name,
                hint="pass --passphrase-file FILE, or --passphrase-file - for standard input",
            )
        prompt = f"Passphrase of {name}"
        return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=self._confirm, err=True)).encode()
