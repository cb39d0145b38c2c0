"""Which Compose file is meant: the names, the order and the variables that Compose knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from stackctl.errors import StackctlError, StackfileError
from stackctl.stackfile.locate import ComposeFiles, locate, refuse_foreign_keys


def touch(directory: Path, *names: str, text: str = "") -> None:
    for name in names:
        (directory / name).write_text(text, encoding="utf-8")


def names_of(files: ComposeFiles) -> tuple[str, list[str]]:
    root = files.directory
    return str(files.main.relative_to(root)), [str(path.relative_to(root)) for path in files.others]


def test_a_new_stack_gets_the_usual_name(tmp_path: Path) -> None:
    assert names_of(locate(tmp_path, {})) == ("docker-compose.yml", [])
    assert not (tmp_path / "docker-compose.yml").exists()


@pytest.mark.parametrize(
    ("there", "main", "others"),
    [
        (["docker-compose.yml"], "docker-compose.yml", []),
        (["docker-compose.yaml"], "docker-compose.yaml", []),
        (["compose.yml"], "compose.yml", []),
        (["compose.yaml", "compose.yml", "docker-compose.yml"], "compose.yaml", []),
        (["docker-compose.yml", "docker-compose.override.yml"], "docker-compose.yml", ["docker-compose.override.yml"]),
        (
            ["docker-compose.yml", "docker-compose.override.yaml"],
            "docker-compose.yml",
            ["docker-compose.override.yaml"],
        ),
        (["compose.yaml", "compose.override.yaml", "compose.override.yml"], "compose.yaml", ["compose.override.yml"]),
        (["compose.yaml", "docker-compose.override.yml"], "compose.yaml", ["docker-compose.override.yml"]),
        (["docker-compose.yml", "compose.override.yaml"], "docker-compose.yml", ["compose.override.yaml"]),
    ],
)
def test_names_come_in_composes_order_with_their_override(
    tmp_path: Path, there: list[str], main: str, others: list[str]
) -> None:
    touch(tmp_path, *there)
    assert names_of(locate(tmp_path, {})) == (main, others)


def test_compose_file_of_the_environment_names_the_files(tmp_path: Path) -> None:
    touch(tmp_path, "compose.yaml", "compose.override.yaml")
    environment = {"COMPOSE_FILE": "base.yml:prod.yml:/etc/more.yml"}
    files = locate(tmp_path, environment)
    assert files.main == tmp_path / "base.yml"
    assert files.others == (tmp_path / "prod.yml", Path("/etc/more.yml"))


def test_the_separator_may_be_another(tmp_path: Path) -> None:
    files = locate(tmp_path, {"COMPOSE_FILE": "a.yml;b.yml", "COMPOSE_PATH_SEPARATOR": ";"})
    assert names_of(files) == ("a.yml", ["b.yml"])


@pytest.mark.parametrize(
    "line",
    [
        "COMPOSE_FILE=base.yml:prod.yml",
        "COMPOSE_FILE = base.yml:prod.yml  # both",
        'COMPOSE_FILE="base.yml:prod.yml"',
        "COMPOSE_FILE='base.yml:prod.yml'",
        "  COMPOSE_FILE=base.yml:prod.yml\r",
        "export COMPOSE_FILE=base.yml:prod.yml",
    ],
)
def test_compose_file_of_dot_env_names_the_files(tmp_path: Path, line: str) -> None:
    touch(tmp_path, ".env", text=f"# settings\nMY_COMPOSE_FILE=no.yml\n{line}\nOTHER=1\n")
    assert names_of(locate(tmp_path, {})) == ("base.yml", ["prod.yml"])


def test_the_environment_goes_before_dot_env(tmp_path: Path) -> None:
    touch(tmp_path, ".env", text="COMPOSE_FILE=from-file.yml\n")
    assert names_of(locate(tmp_path, {"COMPOSE_FILE": "from-environment.yml"})) == ("from-environment.yml", [])


def test_an_empty_compose_file_is_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "compose.yaml")
    assert names_of(locate(tmp_path, {"COMPOSE_FILE": ""})) == ("compose.yaml", [])


@pytest.mark.parametrize("value", [":", "::"])
def test_a_compose_file_of_separators_alone_is_refused_or_not_followed(tmp_path: Path, value: str) -> None:
    touch(tmp_path, "compose.yaml")
    try:
        files = locate(tmp_path, {"COMPOSE_FILE": value})
    except StackctlError:
        return  # Compose refuses it too
    assert names_of(files) == ("compose.yaml", [])


def test_a_dot_env_that_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"COMPOSE_FILE=\xff\n")
    assert names_of(locate(tmp_path, {})) == ("docker-compose.yml", [])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("x-stackctl:\n  tls: modern\n", 1),
        ("# first\nservices:\n  web:\n    x-stackctl:\n      port: 1\n", 4),
        ("services:\r\n  web:\r\n    x-stackctl :\r\n", 3),
    ],
)
def test_x_stackctl_in_a_file_over_the_main_one_is_refused_with_its_line(tmp_path: Path, text: str, line: int) -> None:
    touch(tmp_path, "compose.yaml")
    (tmp_path / "compose.override.yaml").write_bytes(text.encode())
    with pytest.raises(StackfileError) as caught:
        refuse_foreign_keys(locate(tmp_path, {}))
    assert str(caught.value) == f"compose.override.yaml:{line}: x-stackctl is only read from compose.yaml"
    assert caught.value.hint == "move it there"


@pytest.mark.parametrize(
    ("named", "shown"),
    [("deploy/compose.yml", "deploy/compose.yml"), ("../base.yml", "../base.yml"), ("/etc/base.yml", "/etc/base.yml")],
)
def test_a_file_elsewhere_is_named_with_its_folder(tmp_path: Path, named: str, shown: str) -> None:
    (tmp_path / "deploy").mkdir()
    touch(tmp_path / "deploy", "more.yml", text="x-stackctl: {}\n")
    files = locate(tmp_path, {"COMPOSE_FILE": f"{named}:deploy/more.yml"})
    assert files.name == shown
    with pytest.raises(StackfileError) as caught:
        refuse_foreign_keys(files)
    assert str(caught.value) == f"deploy/more.yml:1: x-stackctl is only read from {shown}"


@pytest.mark.parametrize("text", ["services: {}\n", "# x-stackctl: no\n", "x-stackctl-like: 1\n", "a: x-stackctl\n"])
def test_other_files_without_the_key_pass(tmp_path: Path, text: str) -> None:
    touch(tmp_path, "compose.yaml", text="x-stackctl: {}\n")
    touch(tmp_path, "compose.override.yaml", text=text)
    refuse_foreign_keys(locate(tmp_path, {}))


def test_a_file_over_the_main_one_that_cannot_be_read_is_left_to_compose(tmp_path: Path) -> None:
    files = ComposeFiles(tmp_path, tmp_path / "a.yml", (tmp_path / "missing.yml", tmp_path / "binary.yml"))
    (tmp_path / "binary.yml").write_bytes(b"x-stackctl: \xff\n")
    refuse_foreign_keys(files)
