"""What docs/how-to/deploy-a-new-version.md shows is what the command prints."""

from __future__ import annotations

import re

import pytest

from stackctl.model import deploying
from stackctl.observed.reply import Response
from tests.cli.conftest import Cli
from tests.docs.pages import ROOT

GUIDE = (ROOT / "docs/how-to/deploy-a-new-version.md").read_text(encoding="utf-8")


@pytest.fixture
def shop(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Cli:
    """The stack of the guide, by other names: the shop is ``one``."""
    monkeypatch.setattr(deploying, "READY_SECONDS", 0.0)
    world = cli.world
    world.edit("      port: 8000\n", "      port: 8000\n      health: {path: /healthz}\n")
    world.fake.registry |= {"shop:2.4": (8000,), "shop:2.5": (8000,)}
    world.fake.looks.logs["one"] = "Traceback (most recent call last):\nModuleNotFoundError: No module named 'shop'"
    return cli


def shown(*commands: str) -> str:
    """The console block that begins with the commands."""
    found = re.search(rf"```console\n{re.escape('$ ' + commands[0])}\n(.*?)```", GUIDE, re.DOTALL)
    assert found is not None
    return found[1]


def as_guide(text: str) -> str:
    # How long a step takes is shown on a busy machine only.
    text = re.sub(r" \(\d+\.\d s\)", "", text)
    text = re.sub(r"\bone\b", "shop", text).replace("stack-one", "stack-shop")
    return re.sub(r"yml:\d+", "yml:12", text).replace("after 0 s", "after 60 s")


def test_a_deploy_prints_its_steps(shop: Cli) -> None:
    result = shop("deploy", "one.example.com", "--image", "shop:2.4")
    assert result.exit_code == 0
    assert as_guide(result.stdout) == shown("stackctl deploy shop.example.com --image shop:2.4")


def test_a_deploy_that_fails_prints_why(shop: Cli) -> None:
    shop("deploy", "one.example.com", "--image", "shop:2.4")
    shop.world.fake.looks.answers["shop:2.5 /healthz"] = Response(503)
    result = shop("deploy", "one", "--image", "shop:2.5")
    assert result.exit_code == 11
    assert as_guide(result.stdout + result.stderr) == shown("stackctl deploy shop --image shop:2.5")


def test_a_canary_and_its_ends_print_their_steps(shop: Cli) -> None:
    shop.world.edit("one:latest", "shop:2.4")
    shop.world.fake.pull("shop:2.4")
    assert shop("up").exit_code == 0
    begin = ("deploy", "one", "--image", "shop:2.5", "--canary", "10%")
    result = shop(*begin)
    assert result.exit_code == 0
    assert as_guide(result.stdout) == shown("stackctl deploy shop --image shop:2.5 --canary 10%")
    service = re.search(r"^  shop-canary:\n(    .*\n)+", as_guide(shop.world.text), re.MULTILINE)
    key = re.search(r"^      canary:\n(        .*\n)+", as_guide(shop.world.text), re.MULTILINE)
    assert service is not None
    assert key is not None
    written = re.sub(r"^ *#.*\n", "", f"{key[0]}{service[0]}", flags=re.MULTILINE).replace('"', "")
    assert written in GUIDE
    assert as_guide(shop("abort", "one").stdout) == shown("stackctl abort shop")
    assert shop(*begin).exit_code == 0
    promoted = as_guide(shop("promote", "one").stdout).replace("stack-shop-2", "stack-shop-1")
    assert promoted == shown("stackctl promote shop")


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["one", "--canary", "10%"], 2, "a canary needs the newer image"),
        (["one", "--image", "shop:2.5", "--canary", "10"], 2, "'10' is not a share of the clients"),
        (["one", "--image", "shop:2.5", "--canary", "0%"], 2, "no client would get a canary with 0% and no cookie"),
        (["one", "--image", "shop:2.5", "--canary", "100%"], 2, "100% is no canary but a deploy"),
        (["one", "--image", "shop:2.5", "--canary", "101%"], 2, "101 is not a share of a canary"),
        (["one", "--image", "shop:2.5", "--canary", "-1%"], 2, "'-1%' is not a share of the clients"),
        (["one", "--image", "shop:2.5", "--canary", "2.5%"], 2, "'2.5%' is not a share of the clients"),
        (["one", "--image", "shop:2.5", "--canary", "\u0661%"], 2, "is not a share of the clients"),
        (["one", "--image", "shop:2.5", "--canary", "5%", "--cookie", "beta"], 2, "is not NAME=VALUE of a cookie"),
        (["one", "--cookie", "group=beta"], 2, "a cookie is for the clients of a canary"),
        (["nobody", "--image", "shop:2.5", "--canary", "5%"], 2, "is neither a site nor a service of one"),
        (["one", "--image", "Not An Image"], 2, "is not an image reference"),
        (["one", "--timeout", "soon"], 2, "'soon' is not a duration"),
        (["one", "--drain", "30"], 2, "'30' is not a duration"),
        (["nobody"], 2, "is neither a site nor a service of one"),
        (["../x"], 2, "'..' is not a domain"),
        ([""], 2, "is neither a site nor a service of one"),
    ],
)
def test_wrong_input_changes_nothing(shop: Cli, arguments: list[str], code: int, message: str) -> None:
    assert message in shop.refused(code, "deploy", *arguments)["message"]


@pytest.mark.parametrize("command", ["promote", "abort"])
def test_the_end_of_no_canary_changes_nothing(shop: Cli, command: str) -> None:
    assert "one has no canary" in shop.refused(2, command, "one.example.com")["message"]
    assert "is neither a site nor a service of one" in shop.refused(2, command, "nobody")["message"]
    assert "'soon' is not a duration" in shop.refused(2, command, "one", "--drain", "soon")["message"]
