"""docs/reference/cli.md is made from the commands themselves."""

from __future__ import annotations

from typer.testing import CliRunner

from stackctl.cli.main import app
from tests.docs.commands import Command, Parameter, commands
from tests.docs.pages import REFERENCE, assert_current
from tests.offenders import no_offenders

_HEAD = """# Commands

<!-- Made from the commands' own help: STACKCTL_UPDATE_DOCS=1 pytest tests/docs writes it anew. -->

`stackctl COMMAND --help` prints the same on your terminal. `stackctl --version` prints the version,
`stackctl --install-completion` teaches your shell to complete commands and options, and
`python -m stackctl` is another way to write `stackctl`.

What a command ends with is in [exit-codes.md](exit-codes.md), what `--output json` prints in
[json-output.md](json-output.md).

Every command works on the directory it is run in, or on that of `--directory`. One that changes
something holds the stack's lock; a second one waits for it, as long as `--wait` says. `--dry-run`
needs no lock.
"""


def test_it_is_current() -> None:
    assert_current(REFERENCE / "cli.md", "\n".join([_HEAD, *map(_section, commands().values())]))


def test_the_help_names_every_option() -> None:
    missing: list[str] = []
    for command in commands().values():
        shown = CliRunner().invoke(app, [command.name, "--help"], env={"COLUMNS": "200"})
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
