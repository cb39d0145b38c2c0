"""``servers`` as it is typed and as it looks."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner, Result

from stackctl.cli.main import app
from tests.cli.conftest import Cli

FAR = "far.example.com"


def servers(cli: Cli, *words: str) -> Result:
    """The command of two words: the directory comes before it."""
    return CliRunner().invoke(app, ["-C", str(cli.world.root), "servers", *words], catch_exceptions=False)


@pytest.fixture
def listed(cli: Cli) -> Cli:
    """A site with a server that answers, one that does not, and a backup."""
    items = "10.0.0.11:80, 10.0.0.12:80, {address: '10.0.0.13:80', backup: true}"
    site = f"x-stackctl:\n  apps:\n    - domains: [{FAR}]\n      upstreams: [{items}]\n"
    path = cli.world.root / "docker-compose.yml"
    path.write_text(cli.world.text.replace("x-stackctl:\n", site, 1), encoding="utf-8")
    cli.world.fake.outside |= {("10.0.0.11", 80), ("10.0.0.13", 80)}
    assert cli("up").exit_code == 0
    return cli


def test_a_name_alone_shows_its_servers(listed: Cli) -> None:
    shown = servers(listed, FAR)
    assert (shown.exit_code, shown.stderr) == (0, "")
    assert shown.stdout == servers(listed, "show", FAR).stdout
    assert [line.split() for line in shown.stdout.splitlines()] == [
        ["PATH", "ADDRESS", "CONTAINER", "WEIGHT", "STATE"],
        ["/", "10.0.0.11:80", "-", "1", "up"],
        ["/", "10.0.0.12:80", "-", "1", "down"],
        ["/", "10.0.0.13:80", "-", "backup", "up"],
        ["10.0.0.12:80:", "10.0.0.12:80", "does", "not", "accept", "connections"],
    ]


def test_a_verb_changes_one_of_them(listed: Cli) -> None:
    assert servers(listed, "weight", FAR, "10.0.0.11:80", "3").exit_code == 0
    assert servers(listed, "drain", FAR, "10.0.0.12:80").exit_code == 0
    assert [line.split()[-2:] for line in servers(listed, FAR).stdout.splitlines()[1:3]] == [
        ["3", "up"],
        ["1", "drained"],
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("drain", FAR, "10.0.0.12"), "is not HOST:PORT"),
        (("drain", FAR, "10.0.0.99:80"), "has no server 10.0.0.99:80"),
        (("weight", FAR, "10.0.0.12:80", "0"), "a weight of 0"),
        (("weight", FAR, "10.0.0.12:80", "x"), "Invalid value for 'WEIGHT'"),
        (("drian", FAR, "10.0.0.12:80"), "Did you mean 'drain'?"),
        (("none.example.com",), "none.example.com is not routed"),
    ],
)
def test_what_is_wrong_is_said_and_changes_nothing(listed: Cli, words: tuple[str, ...], message: str) -> None:
    before = listed.world.tree()
    result = servers(listed, *words)
    assert result.exit_code == 2
    assert message in result.stderr.replace("\n", " ")
    assert listed.world.tree() == before
