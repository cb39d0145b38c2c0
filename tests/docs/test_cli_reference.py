"""docs/reference/cli.md is made from the commands themselves."""

from __future__ import annotations

from typer.testing import CliRunner

from stackctl.cli.main import app
from tests.docs.commands import Command, Parameter, commands
from tests.docs.pages import REFERENCE, assert_current
from tests.offenders import no_offenders

_HEAD = """# Commands

<!-- Generated from the commands' help: update it with STACKCTL_UPDATE_DOCS=1 pytest tests/docs. -->

This page lists every command with its options; `stackctl COMMAND --help` prints the same.
`stackctl --version` prints the version, `stackctl --install-completion` installs completion for your shell
(bash, zsh or fish): of commands, options, domains, services and the numbers of the history.
`python -m stackctl` is equivalent to `stackctl`.

[exit-codes.md](exit-codes.md) lists the exit codes, and [json-output.md](json-output.md) describes the output
of `--output json`.

Every command but `schema` works on the stack in the current directory, or in that of `--directory` (`-C`).
As in git and make, `-C DIR` can also come before the command: `stackctl -C DIR COMMAND`. If both are given,
the option of the command applies.

A command that changes something takes the stack's lock. A second one waits for the lock, at most as long as
`--wait` allows. `--dry-run` takes no lock.
"""


def test_it_is_current() -> None:
    assert_current(REFERENCE / "cli.md", "\n".join([_HEAD, *map(_section, commands().values())]))


def test_the_help_names_every_option() -> None:
    missing: list[str] = []
    for command in commands().values():
        shown = CliRunner().invoke(app, [*command.name.split(), "--help"], env={"COLUMNS": "200"})
        assert shown.exit_code == 0, command.name
        missing += [f"{command.name} {name}" for name in command.options if name not in shown.output]
    no_offenders(missing)


def _section(command: Command) -> str:
    options = ["[OPTIONS]"] if command.options else []
    usage = " ".join([f"stackctl {command.name}", *map(_argument, command.arguments), *options])
    table = ["| Option | Meaning | Default |", "|---|---|---|"]
    for parameter in command.parameters:
        cells = (_written(parameter), parameter.meaning, parameter.default)
        table.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines = [f"## {command.name}", "", command.summary, "", "```text", usage, "```", ""]
    return "\n".join([*lines, *table, ""] if command.parameters else lines)


def _argument(parameter: Parameter) -> str:
    return parameter.names[0] if parameter.required else f"[{parameter.names[0]}]"


def _written(parameter: Parameter) -> str:
    names = ", ".join(f"`{name}`" for name in parameter.names)
    return names if parameter.value is None else f"{names} `{parameter.value}`"
