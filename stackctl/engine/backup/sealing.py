"""Encrypt and decrypt archives in the age format (age-encryption.org/v1) with pyrage, the optional extra ``[age]``."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from stackctl.adapters.disk.files import input_errors
from stackctl.errors import HostError, InputError
from stackctl.reading import read_given

_BINARY = b"age-encryption.org/v1\n"
_ARMORED = b"-----BEGIN AGE ENCRYPTED FILE-----"


@dataclass(frozen=True, slots=True)
class Seal:
    """How an archive is encrypted: with a passphrase, or for recipients, whose identities decrypt it."""

    passphrase: str | None = None
    recipients: tuple[str, ...] = ()

    def check(self) -> None:
        """Check the recipients and the library before anything is read.

        Raises:
            InputError: a recipient is invalid.
            HostError: pyrage is not installed.
        """
        if self.passphrase is not None:
            _library()
        _recipients(self.recipients)

    def encrypt(self, content: bytes) -> bytes:
        """Return the content as an age file."""
        if self.passphrase is not None:
            return bytes(_library("pyrage.passphrase").encrypt(content, self.passphrase))
        return bytes(_library().encrypt(content, _recipients(self.recipients)))


@dataclass(frozen=True, slots=True)
class Keys:
    """The means to decrypt an archive.

    Attributes:
        ask: prompts the user for the passphrase; None without a terminal.
    """

    passphrase: str | None = None
    identity: Path | None = None
    ask: Callable[[], str] | None = None


def is_sealed(head: bytes) -> bool:
    """Return whether a file that begins with ``head`` is an age file."""
    return head.startswith((_BINARY, _ARMORED))


def refuse_large(size: int) -> None:
    """Refuse an encrypted archive that does not fit in the free memory twice: so its keys are never on disk in clear.

    Raises:
        HostError: it does not fit.
    """
    free = psutil.virtual_memory().available
    if 2 * size > free:
        raise HostError(
            f"the archive has {size / 1e6:.0f} MB, and is decrypted in memory: {free / 1e6:.0f} MB are free",
            hint="decrypt it with 'age -d' to a safe place, and restore the result",
        )


def decrypt(content: bytes, keys: Keys) -> bytes:
    """Return the content of an age file.

    Raises:
        InputError: ``keys`` do not decrypt it, or it was altered.
        HostError: pyrage is not installed.
    """
    library = _library()
    by_passphrase = b"\n-> scrypt " in content[:256]
    if content.startswith(_ARMORED):
        raise InputError("the archive is an armored age file", hint="convert it to a binary one first, with 'age -d'")
    try:
        if by_passphrase:
            return bytes(_library("pyrage.passphrase").decrypt(content, _passphrase(keys)))
        return bytes(library.decrypt(content, _identities(keys)))
    except library.DecryptError as error:
        what = "passphrase" if by_passphrase else "identity"
        raise InputError(
            f"the archive cannot be decrypted: the {what} is wrong, or the archive is truncated or altered ({error})",
            hint="nothing was changed",
        ) from error


def _passphrase(keys: Keys) -> str:
    if keys.passphrase is not None:
        return keys.passphrase
    if keys.ask is None:
        raise InputError(
            "the archive is encrypted with a passphrase", hint="run 'stackctl restore --passphrase-file FILE ARCHIVE'"
        )
    return keys.ask()


def read_passphrase(path: Path) -> str:
    """Return the first line of a file, without its line end.

    Raises:
        InputError: it is empty, or not UTF-8.
    """
    with input_errors("passphrase_file"):
        content = read_given(path)
    try:
        lines = content.decode("utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path} is not UTF-8 text", field="passphrase_file") from error
    if not lines or not lines[0]:
        raise InputError(f"the first line of {path} is empty", field="passphrase_file")
    return lines[0]


def _identities(keys: Keys) -> list[Any]:
    if keys.identity is None:
        raise InputError(
            "the archive is encrypted for a recipient", hint="run 'stackctl restore --identity FILE ARCHIVE'"
        )
    with input_errors("identity"):
        lines = read_given(keys.identity).decode("utf-8", "replace").splitlines()
    secrets = [line.strip() for line in lines if line.strip() and not line.startswith("#")]
    kind = _library("pyrage.x25519").Identity
    try:
        found = [kind.from_str(secret) for secret in secrets]
    except _library().IdentityError as error:
        # The library's message is left out, as it might contain the secret.
        raise InputError(f"{keys.identity} has a line that is not an age identity", field="identity") from error
    if not found:
        raise InputError(f"{keys.identity} contains no age identity", field="identity")
    return found


def _recipients(texts: tuple[str, ...]) -> list[Any]:
    found = []
    for text in texts:
        try:
            found.append(_library("pyrage.x25519").Recipient.from_str(text))
        except _library().RecipientError as error:
            hint = "a recipient begins with age1; 'age-keygen' prints one"
            raise InputError(f"{text!r} is not an age recipient", field="recipient", hint=hint) from error
    return found


def _library(name: str = "pyrage") -> Any:  # noqa: ANN401  (the library has no types)
    try:
        # The submodules of a compiled module are its attributes, and cannot be imported.
        library: Any = importlib.import_module("pyrage")
    except ImportError as error:
        raise HostError(
            "encryption needs the Python package pyrage",
            hint="install stackctl with its extra 'age': pipx install --force '.[age]'",
        ) from error
    for part in name.split(".")[1:]:
        library = getattr(library, part)
    return library
