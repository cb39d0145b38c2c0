"""docs/how-to/several-apps-one-name.md: its commands, the text that they write, and what status then shows."""

from __future__ import annotations

import shlex

from tests.cli.conftest import Cli
from tests.docs.pages import ROOT, Page

PAGE = Page(ROOT / "docs/how-to/several-apps-one-name.md")


def test_the_commands_do_what_the_page_shows(cli: Cli) -> None:
    cli.world.fake.images |= {"yourname/shop:2.3": (8000,), "yourname/api:1.0": (3000,)}
    adds, remove = PAGE.blocks("sh")
    for line in adds.splitlines():
        result = cli(*shlex.split(line)[1:])
        assert result.exit_code == 0, result.output
    written, *_ = PAGE.blocks("yaml")
    assert written.partition("    x-stackctl:\n")[2] in cli.world.text
    shown = [line.split() for line in cli("status").stdout.splitlines()]
    assert all(line.split() in shown for line in PAGE.blocks("text")[0].splitlines())
    code, printed = cli.json("status")
    (row,) = (row for row in printed["apps"] if row["app"] == "shop.example.com")
    assert (code, [route["match"] for route in row["routes"]]) == (0, ["/", "/api"])
    result = cli(*shlex.split(remove)[1:])
    assert result.exit_code == 0, result.output
    assert "/api" not in cli.world.text
