from __future__ import annotations

import pytest

from tests.cli.conftest import Cli


def test_the_hops_of_a_request_are_printed(cli: Cli) -> None:
    shown = cli("explain", "https://www.example.com/a")
    assert shown.exit_code == 0
    lines = shown.stdout.splitlines()
    assert lines[0] == "https://www.example.com/a"
    assert lines[1].startswith("├─ name         www.example.com, an alias of one.example.com  docker-compose.yml:")
    assert lines[-1] == "every hop works"
    cli.world.fake.looks.seen["one"] = {"state": "exited", "exit_code": 3}
    cli.world.fake.looks.logs["one"] = "[no] database\n"
    shown = cli("explain", "one.example.com")
    assert shown.exit_code == 1
    assert "├✗ container    stack-one-1 on stack_default at 10.9.0." in shown.stdout
    assert (
        "broken: container: stack-one-1 is not running: exited with code 3; last log line: [no] database"
        in shown.stdout
    )
    assert "  → run 'stackctl up'" in shown.stdout
    assert "connect() failed (111: Connection refused) while connecting to upstream (http://one:8000/)" in shown.stdout


@pytest.mark.parametrize("address", ["localhost", "https://10.0.0.1/", "a b", "*.example.com", "/"])
def test_an_invalid_address_is_refused(cli: Cli, address: str) -> None:
    cli.refused(2, "explain", address)
