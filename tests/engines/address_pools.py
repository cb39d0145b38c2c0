"""An engine without a free address pool: run alone on each engine, as nothing else can start meanwhile."""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.e2e.helpers import Stack, docker

pytestmark = pytest.mark.e2e

MOST = 300
"""More networks than the default pools of any engine allow."""


@pytest.fixture
def full() -> Iterator[list[str]]:
    """Networks of others until the engine has no pool left; what is still in the list is removed afterwards."""
    made: list[str] = []
    prefix = f"stackctl-lab-full-{secrets.token_hex(3)}"
    try:
        for number in range(MOST):
            command = ["docker", "network", "create", f"{prefix}-{number}"]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
            if done.returncode:
                assert "pool" in done.stderr, done.stderr
                break
            made.append(f"{prefix}-{number}")
        else:
            pytest.fail(f"the engine has a pool for each of {MOST} networks")
        yield made
    finally:
        if made:
            docker("network", "rm", *made)


def test_an_engine_without_a_free_address_pool_ends_the_command_once(stack: Stack, full: list[str]) -> None:
    started = time.monotonic()
    done = stack.fails(4, *stack.init_arguments())
    assert time.monotonic() - started < 30, "nothing is waited for"
    said = done.stdout + done.stderr
    assert said.count("the engine has no address pool left for another network") == 1, said
    assert "docker network prune" in done.stderr
    assert "0.0.0.0" not in said
    assert stack.containers() == {}
    docker("network", "rm", full.pop())
    stack.init()
