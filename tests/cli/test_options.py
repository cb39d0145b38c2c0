"""Use cases name fields; only the command line knows the options that give them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest

from stackctl.cli.options import naming_option, option_of
from stackctl.errors import HostError, InputError, StackctlError
from tests.docs.commands import commands
from tests.offenders import no_offenders
from tests.unit.modules import Module
from tests.unit.test_layers import MODULES, in_any

OPTIONS = {name for command in commands().values() for name in command.options if name.startswith("--")}
_OPTION = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")

ARGUMENTS_OF_OTHERS = ("certs", "adapters.docker", "adapters.fakes")
"""They write and read the arguments of certbot, docker and Compose, some of which are called like ours."""

COMMANDS_OF_OTHERS = ("stackctl", "docker", "certbot", "pipx")
"""A text that shows one of these commands names its options too."""


def below() -> Iterator[Module]:
    """The modules below the command line; the page shows the command of each button, with its options."""
    return (module for module in MODULES if not in_any(module, ["cli", "ui", "__main__"]))


def texts(module: Module) -> Iterator[tuple[int, str]]:
    """The texts of a module with their lines, each of an f-string's as one; docstrings are none."""
    docstrings = {
        id(node.body[0].value)
        for node in module.nodes
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    parts = {id(part) for node in module.nodes if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in module.nodes:
        if isinstance(node, ast.JoinedStr):
            yield node.lineno, "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings | parts:
            yield node.lineno, node.value


def fields() -> set[str]:
    """The fields that errors name."""
    found: set[str] = set()
    for module in below():
        for node in module.nodes:
            if isinstance(node, ast.Call):
                names = [one.value for one in node.keywords if one.arg == "field"]
                names += node.args if ast.unparse(node.func).endswith(".of") and "error" in ast.unparse(node) else []
                found |= {
                    one.value
                    for name in names
                    for one in ast.walk(name)
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
    return found


def test_no_option_is_named_below_the_command_line() -> None:
    no_offenders(
        f"{module.name}:{line}: {option} in {text!r}"
        for module in below()
        if not in_any(module, ARGUMENTS_OF_OTHERS)
        for line, text in texts(module)
        if not any(command in text for command in COMMANDS_OF_OTHERS)
        for option in _OPTION.findall(text)
        if option in OPTIONS
    )


def test_every_field_has_an_option() -> None:
    assert {"env_file", "ca_bundle", "eab_hmac_key_file", "directory", "passphrase_file"} <= fields()
    no_offenders(field for field in fields() if option_of(field) not in OPTIONS)


@pytest.mark.parametrize(
    ("error", "where"),
    [
        (InputError("x", field="env_file"), "--env-file"),
        (InputError("x", where="f.yml:1", field="service"), "f.yml:1"),
        (InputError("x"), None),
        (InputError("x").of("eab_kid"), "--eab-kid"),
        (HostError("x"), None),
    ],
)
def test_a_field_is_shown_as_its_option(error: StackctlError, where: str | None) -> None:
    assert naming_option(error).where == where
