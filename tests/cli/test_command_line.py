"""What a user types before a command runs: the directory, completion by the shell, and help."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from contextlib import chdir
from pathlib import Path

import pytest
from typer.testing import CliRunner

from stackctl.cli.main import app
from tests.cli.conftest import Cli
from tests.docs.commands import commands
from tests.offenders import no_offenders

STACK = """
x-stackctl:
  apps:
    - {domains: api.example.com, upstream: "10.0.0.1:80"}
    - {domains: [api.example.com], path: [/v1, /v2], upstream: "10.0.0.1:80"}
  redirects:
    - {from: old.example.com, to: https://example.com}
services:
  web:
    image: web
    x-stackctl: {domains: [example.com, www.example.com]}
  worker: {image: worker}
  half-written:
"""
SHELLS = ("bash", "zsh", "fish")


def completing(directory: Path, shell: str, *words: str) -> dict[str, str]:
    """The variables by which a shell asks for the completion of a command line."""
    line = " ".join(("stackctl", *words))
    return {
        "_STACKCTL_COMPLETE": f"complete_{shell}",
        "DOCKER_HOST": f"unix://{directory}/none.sock",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words)),
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }


def run_completion(
    directory: Path, shell: str, *words: str, python: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Have a shell's completion of a command line run, in a real process without an engine."""
    environ = {**os.environ, **completing(directory, shell, *words)}
    # The program's name decides the variable that asks for completion.
    code = "import sys; sys.argv = ['stackctl']; from stackctl.__main__ import main; main()"
    argv = [sys.executable, *python, "-c", code]
    return subprocess.run(argv, cwd=directory, env=environ, capture_output=True, text=True, check=False)


def complete(directory: Path, shell: str, *words: str) -> list[str]:
    """Return what a shell completes the last word of a command line to."""
    with chdir(directory):
        done = CliRunner().invoke(app, env=completing(directory, shell, *words), prog_name="stackctl")
    assert done.stderr == ""
    return done.stdout.split()


@pytest.fixture
def stack(tmp_path: Path) -> Path:
    folder = tmp_path / "stack"
    for number in ("0007", "0012", ".draft"):
        (folder / ".stackctl/history" / number).mkdir(parents=True)
    (folder / "docker-compose.yml").write_text(STACK)
    return folder


def test_every_shell_completes_domains(stack: Path) -> None:
    for shell in SHELLS:
        done = run_completion(stack, shell, "config", "w")
        assert done.stderr == ""
        shown = re.findall(r"[\w.-]+", done.stdout)
        assert "www.example.com" in shown, shell
        assert "api.example.com" not in shown, shell


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["remove-app", ""],
            {
                *("api.example.com", "api.example.com/v1", "api.example.com/v2"),
                *("example.com", "old.example.com", "www.example.com"),
            },
        ),
        (["remove-app", "api.example.com/v2"], {"api.example.com/v2"}),
        (["add-app", "x.example.com", "--service", "wo"], {"worker"}),
        (["rollback", ""], {"12", "7"}),
        (["renew", "--force", "api"], {"api.example.com"}),
        (["explain", "ex"], {"example.com"}),
        (["se"], {"set", "servers"}),
        (["dns", "l"], {"list"}),
    ],
)
def test_what_is_completed(stack: Path, words: list[str], expected: set[str]) -> None:
    assert set(complete(stack, "bash", *words)) == expected


def test_completion_works_in_another_directory(stack: Path) -> None:
    tmp_path = stack.parent
    assert complete(tmp_path, "bash", "-C", "stack", "config", "w") == ["www.example.com"]
    assert complete(tmp_path, "bash", "config", "-C", "stack", "w") == ["www.example.com"]
    assert complete(tmp_path, "bash", "-C", "none", "config", "-C", "stack", "w") == ["www.example.com"]
    assert complete(tmp_path, "bash", "config", "w") == []


@pytest.mark.parametrize("text", ["services: [", "[]", "x-stackctl: 5", "services: {web: {x-stackctl: [1]}}", "\x00"])
def test_completion_of_what_cannot_be_read_is_empty(stack: Path, text: str) -> None:
    (stack / "docker-compose.yml").write_text(text)
    assert complete(stack, "bash", "config", "") == []


def test_what_only_compose_and_stackctl_read_as_yaml_is_completed(stack: Path) -> None:
    text = "services: {web: {image: nginx:1.30, ports: [80:80], x-stackctl: {domains: [www.example.com]}}}"
    (stack / "docker-compose.yml").write_text(text)
    assert complete(stack, "bash", "config", "") == ["www.example.com"]


def test_every_argument_that_is_a_domain_is_completed(stack: Path) -> None:
    taking = [one for one in commands().values() if any(arg.names[0].startswith("DOMAIN") for arg in one.arguments)]
    assert len(taking) >= 6
    no_offenders(one.name for one in taking if complete(stack, "bash", *one.name.split(), "www") != ["www.example.com"])


def test_completion_imports_nothing_slow(stack: Path) -> None:
    slow = ("cryptography", "docker", "jinja2", "psutil", "requests", "stackctl.engine", "stackctl.usecases")
    done = run_completion(stack, "bash", "config", "w", python=["-X", "importtime"])
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines() if line.startswith("import time:")}
    assert "stackctl.cli.main" in imported
    no_offenders(name for name in imported if name.startswith(slow))


def test_the_directory_may_be_named_before_the_command(cli: Cli, tmp_path: Path) -> None:
    def status(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, [*arguments], catch_exceptions=False)
        return result.exit_code, result.output

    root = str(cli.world.root)
    expected = status("status", "--directory", root)
    assert expected[0] == 0
    assert status("-C", root, "status") == expected
    assert status("--directory", root, "status") == expected
    assert status("-C", str(tmp_path / "none"), "status", "-C", root) == expected, "the command's own counts"
    code, text = status("-C", str(tmp_path / "none"), "status")
    assert code == 2
    assert "does not exist" in text


def test_help_has_no_words_of_python_and_fits_80_columns() -> None:
    found: list[str] = []
    for command in ([], *([name] for name in commands())):
        shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "80"}).stdout
        found += [
            f"{command}: {line}"
            for line in shown.splitlines()
            if len(line) > 80 or re.search(r"<|x>=|: None| \d+\.0\b|\[\[|\{|\(here\)|int range", line)
        ]
    no_offenders(found)


def test_the_commands_are_in_groups() -> None:
    lines = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"}).stdout.splitlines()
    titles = [line for line in lines[1:] if line and not line.startswith((" ", "Usage"))]
    assert titles == ["Options:", "Running:", "Sites:", "Access:", "Certificates:", "Changes:", "Looking:"]
    assert [line for line in lines[1:] if line.endswith("...")] == []


def test_a_negative_number_is_a_wrong_usage() -> None:
    for arguments in (["up", "--wait", "-1"], ["logs", "--tail", "-1"], ["rollback", "0"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert "less than" in result.output


def test_brackets_in_usage_lines_are_balanced() -> None:
    result = CliRunner().invoke(app, ["explain", "--help"])
    assert "explain [OPTIONS] DOMAIN[/PATH]\n" in result.output
    usages = {name: CliRunner().invoke(app, [name, "--help"]).output.partition("\n\n")[0] for name in commands()}
    no_offenders(name for name, usage in usages.items() if usage.count("[") != usage.count("]"))
