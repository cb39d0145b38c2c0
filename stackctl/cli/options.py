"""Options that several commands share."""

from __future__ import annotations

import math
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from stackctl.cli.completion import domains
from stackctl.errors import InputError, StackctlError

T = TypeVar("T")


class OutputFormat(StrEnum):
    """The output formats of a command."""

    TEXT = "text"
    JSON = "json"


def whole_number(text: str) -> int:
    """Parse the value of an option or argument as a whole number, or refuse it as a usage error."""
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number") from None


def seconds(text: str) -> float:
    """Parse the value of an option as a number of seconds, or refuse it as a usage error."""
    try:
        number = float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number of seconds") from None
    if not math.isfinite(number):
        raise typer.BadParameter(f"{text!r} is not a number of seconds")
    return number


def not_negative(number: float) -> float:
    """Refuse a negative value of an option as a usage error."""
    if number < 0:
        raise typer.BadParameter(f"{number:g} is less than 0")
    return number


Site = Annotated[str, typer.Argument(metavar="DOMAIN", autocompletion=domains, help="A domain of the site.")]
Directory = Annotated[
    Path,
    typer.Option(
        "--directory",
        "-C",
        help="Directory of the stack. [default: current directory]",
        metavar="DIR",
        show_default=False,
    ),
]
Output = Annotated[
    OutputFormat,
    typer.Option(
        "--output",
        "-o",
        help="Output format: text, or one JSON object. [default: text]",
        metavar="text|json",
        show_default=False,
    ),
]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Show the cause of each step and the commands that are run.")
]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print the plan without changing anything; a missing image may be pulled to inspect it."
    ),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        parser=seconds,
        callback=not_negative,
        help="Seconds to wait for another stackctl command on this stack. [default: 60]",
        show_default=False,
    ),
]
NoIssue = Annotated[bool, typer.Option("--no-issue", help="Do not issue certificates.")]
IgnoreLedger = Annotated[
    bool, typer.Option("--ignore-ledger", help="Request certificates even if the CA's rate limits are reached.")
]
Force = Annotated[
    bool,
    typer.Option(
        "--force",
        help="Request certificates even for domains that do not resolve to this host, or break a rule of the CA.",
    ),
]
Unattended = Annotated[bool, typer.Option("--unattended", help="For timers: back off after repeated failures.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask for confirmation.")]
ReplaceFile = Annotated[bool, typer.Option("--force", help="Replace an existing file.")]
Email = Annotated[str | None, typer.Option(metavar="ADDRESS", help="Contact address of the ACME account.")]
PassphraseInput = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="File with the passphrase in its first line, or - for standard input."),
]
PassphraseFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="File with the passphrase of the archive in its first line.")
]

HERE = Path()
WAIT_SECONDS = 60.0


def option_of(field: str) -> str:
    """Return the option that sets a field of a use case; their names correspond."""
    return f"--{field.replace('_', '-')}"


def naming_option(error: StackctlError) -> StackctlError:
    """Return ``error`` with its option as its place, if it concerns a field."""
    if isinstance(error, InputError) and error.field is not None:
        return error.at(option_of(error.field))
    return error


def parsed(option: str, parse: Callable[[str], T], text: str | None) -> T | None:
    """Return ``text`` parsed by ``parse``; an error names the option."""
    return None if text is None else checked(option, parse, text)


def checked(word: str, parse: Callable[[str], T], text: str) -> T:
    """Return ``text`` parsed by ``parse``; an error names the option or the argument ``word``."""
    try:
        return parse(text)
    except InputError as error:
        raise error.at(word) from error
