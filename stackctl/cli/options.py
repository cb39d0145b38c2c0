"""Options that several commands have."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from stackctl.errors import InputError, StackctlError

T = TypeVar("T")


class OutputFormat(StrEnum):
    """How a command prints what it did."""

    TEXT = "text"
    JSON = "json"


def not_negative(number: float) -> float:
    """Refuse a negative value of an option, as a wrong usage."""
    if number < 0:
        raise typer.BadParameter(f"{number:g} is less than 0")
    return number


Directory = Annotated[
    Path,
    typer.Option("--directory", "-C", help="The stack's directory. [default: here]", metavar="DIR", show_default=False),
]
Output = Annotated[
    OutputFormat,
    typer.Option(
        "--output",
        "-o",
        help="Print text, or one JSON object. [default: text]",
        metavar="text|json",
        show_default=False,
    ),
]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Show why each step is taken, and what is run.")]
DryRun = Annotated[
    bool,
    typer.Option(
        "--dry-run", help="Print the plan and change nothing; an image that is not here is pulled to be looked at."
    ),
]
Wait = Annotated[
    float,
    typer.Option(
        "--wait",
        metavar="SECONDS",
        callback=not_negative,
        help="How long to wait for another stackctl at work here. [default: 60]",
        show_default=False,
    ),
]
NoIssue = Annotated[bool, typer.Option("--no-issue", help="Ask for no certificate.")]
IgnoreLedger = Annotated[
    bool, typer.Option("--ignore-ledger", help="Ask the CA even where its rate limits would refuse.")
]
Force = Annotated[
    bool, typer.Option("--force", help="Ask the CA even where a name does not lead here, as far as can be seen.")
]
Unattended = Annotated[
    bool, typer.Option("--unattended", help="Run by a timer: after failures in a row, wait longer and longer.")
]
PassphraseFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="File whose first line is the archive's passphrase.")
]

HERE = Path()
WAIT_SECONDS = 60.0


def option_of(field: str) -> str:
    """The option by which a field of a use case is given: the names are the same."""
    return f"--{field.replace('_', '-')}"


def named(error: StackctlError) -> StackctlError:
    """``error``, with the option it is about where it is about a field."""
    if isinstance(error, InputError) and error.field is not None:
        return error.at(option_of(error.field))
    return error


def parsed(option: str, parse: Callable[[str], T], text: str | None) -> T | None:
    """``text`` by ``parse``, with the option's name in what goes wrong."""
    if text is None:
        return None
    try:
        return parse(text)
    except InputError as error:
        raise error.at(option) from error
