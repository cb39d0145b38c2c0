"""Formats ``--help``: plain option lists and grouped commands, independent of Typer's version.

A command's module is imported when the command is typed: to import all of them takes as long as the rest of ``--help``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from typing import Any

import typer.main
from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """A command whose help shows the declared metavars instead of Python types."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401  (Typer brings its own copy of click)
        """Return the words of the usage after the command."""
        pieces = ["[OPTIONS]"]
        for param in self.get_params(ctx):
            if param.param_type_name == "argument":
                name = f"{unbracketed(param.metavar or param.name or '')}{'...' if param.nargs != 1 else ''}"
                pieces.append(name if param.required else f"[{name}]")
        return pieces

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  (the same)
        """Write the arguments and options."""
        _write(formatter, "Arguments", _rows(self.get_params(ctx), "argument"))
        _write(formatter, "Options", _rows(self.get_params(ctx), "option"))


class Listed(TyperCommand):
    """What is known of a command before its module is imported: what a list of commands shows.

    ``load`` imports the module, and returns the function that is the command.
    """

    def __init__(self, name: str, panel: str, words: str, load: Callable[[], Callable[..., None]]) -> None:
        super().__init__(name, help=words, rich_help_panel=panel)
        self.load = load

    @cached_property
    def command(self) -> Any:  # noqa: ANN401  (Typer brings its own copy of click)
        """The command itself."""
        alone = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode=None)
        alone.command(self.name, cls=Command, rich_help_panel=self.rich_help_panel)(self.load())
        return typer.main.get_command(alone)


class Commands(TyperGroup):
    """The program, whose help lists the commands in groups."""

    listed: tuple[Listed, ...] = ()
    panels: tuple[str, ...] = ()

    def __init__(self, **settings: Any) -> None:  # noqa: ANN401  (the same)
        super().__init__(**settings)
        self.commands = {**{str(one.name): one for one in self.listed}, **self.commands}

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  (the same)
        """Return the command that ``args`` begin with, with its name and the other words."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.command if isinstance(command, Listed) else command, rest

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401  (the same)
        """Write the options of the program and its commands."""
        _write(formatter, "Options", _rows(self.get_params(ctx), "option"))
        width = max(map(len, self.commands))
        for group in self.panels:
            own = [(name, one) for name, one in self.commands.items() if getattr(one, "rich_help_panel", "") == group]
            # The short help fills the rest of 80 columns.
            _write(
                formatter, str(group), [(name.ljust(width), one.get_short_help_str(76 - width)) for name, one in own]
            )


class Servers(Commands):
    """A group that shows a site if its first word is a name and no command."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:  # noqa: ANN401  (the same)
        """Return the command that ``args`` begin with; no command has a dot in its name."""
        return super().resolve_command(ctx, ["show", *args] if args and "." in args[0] else args)


def listing(kind: type[Commands], commands: Iterable[Listed], panels: Iterable[str]) -> type[Commands]:
    """Return the class of a group of ``kind`` with ``commands`` by ``panels``, as Typer makes the group itself."""
    return type(kind.__name__, (kind,), {"listed": tuple(commands), "panels": tuple(panels)})


def unbracketed(metavar: str) -> str:
    """Return a metavar without the brackets around all of it, which only mark it as optional."""
    return metavar[1:-1] if metavar.startswith("[") and metavar.endswith("]") else metavar


def _rows(params: Any, kind: str) -> Iterator[tuple[str, str]]:  # noqa: ANN401  (the same)
    for param in params:
        if param.param_type_name != kind or getattr(param, "hidden", False):
            continue
        metavar = unbracketed(param.metavar or "") if kind == "argument" else param.metavar
        names = ", ".join(sorted(param.opts, key=len)) if kind == "option" else ""
        yield " ".join(filter(None, (names, metavar))), param.help or ""


def _write(formatter: Any, title: str, rows: Any) -> None:  # noqa: ANN401  (the same)
    rows = list(rows)
    if rows:
        with formatter.section(title):
            formatter.write_dl(rows)
