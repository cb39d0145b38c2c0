"""The commands as they are declared, independent of how a version of Typer lays out its help."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin, get_type_hints

from typer.main import get_command
from typer.models import ArgumentInfo, OptionInfo

from stackctl.cli.help import Commands, Listed, unbracketed
from stackctl.cli.main import app

_DEFAULT = re.compile(r"\s*\[default: (?P<default>[^\]]+)\]")
_WORDS: dict[Any, str] = {int: "NUMBER", float: "NUMBER", str: "TEXT", Path: "FILE"}


@dataclass(frozen=True)
class Parameter:
    """An argument or option: its names, its value and its help."""

    names: tuple[str, ...]
    value: str | None
    meaning: str
    default: str
    argument: bool
    required: bool


@dataclass(frozen=True)
class Command:
    """One command with its parameters in the order of its help."""

    name: str
    summary: str
    parameters: tuple[Parameter, ...]

    @property
    def arguments(self) -> list[Parameter]:
        return [parameter for parameter in self.parameters if parameter.argument]

    @property
    def options(self) -> dict[str, Parameter]:
        """The options by each way they can be written."""
        return {name: option for option in self.parameters if not option.argument for name in option.names}


def commands() -> dict[str, Command]:
    """Every command by its name."""
    return {name: Command(name, inspect.getdoc(f) or "", _parameters(f)) for name, f in functions().items()}


def functions() -> dict[str, Callable[..., None]]:
    """The function of every command by its name."""
    return {name: one.load() for name, one in listed().items()}


def listed() -> dict[str, Listed]:
    """What is known of every command without its module, by its name."""
    program: Any = get_command(app)
    found: dict[str, Listed] = {}
    groups = [
        ("", program),
        *((f"{name} ", one) for name, one in program.commands.items() if isinstance(one, Commands)),
    ]
    for prefix, group in groups:
        found |= {f"{prefix}{name}": one for name, one in group.commands.items() if isinstance(one, Listed)}
    return found


def _parameters(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    hints = get_type_hints(function, include_extras=True)
    signature = inspect.signature(function).parameters
    return tuple(_parameter(name, *get_args(hints[name])[:2], default=at.default) for name, at in signature.items())


def _parameter(name: str, kind: Any, info: OptionInfo | ArgumentInfo, *, default: Any) -> Parameter:
    kinds = [part for part in get_args(kind) if part is not NoneType] if NoneType in get_args(kind) else [kind]
    inner = get_args(kinds[0])[0] if get_origin(kinds[0]) is list else kinds[0]
    text = info.help or ""
    told = _DEFAULT.search(text)
    shown = told["default"] if told else _shown(default, info)
    argument = isinstance(info, ArgumentInfo)
    # In Annotated, Typer keeps the first of the names as the default.
    first = (info.default,) if isinstance(info.default, str) and info.default.startswith("-") else ()
    written = (*first, *(info.param_decls or ())) or (f"--{name.replace('_', '-')}",)
    names = (unbracketed(info.metavar or name.upper()),) if argument else written
    value = None if inner is bool or argument else info.metavar or _value(inner)
    return Parameter(names, value, _DEFAULT.sub("", text), shown, argument, default is inspect.Parameter.empty)


def _value(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(member.value) for member in kind)
    return _WORDS[kind]


def _shown(default: Any, info: OptionInfo | ArgumentInfo) -> str:
    if isinstance(info.show_default, str):
        return info.show_default
    if isinstance(default, Enum):
        return str(default.value)
    if default is inspect.Parameter.empty or default is None or isinstance(default, bool):
        return ""
    return f"{default:g}" if isinstance(default, float) else str(default)
