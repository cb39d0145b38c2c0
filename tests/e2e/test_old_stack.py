"""A stack that an earlier version made, as it runs on a host, and this version next to it."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.e2e.helpers import Stack, wait_until
from tests.old_stack.fixture import OldStack

pytestmark = pytest.mark.e2e


def test_a_running_stack_of_an_earlier_version_needs_nothing(stack: Stack) -> None:
    ca = stack.lab.directory.removeprefix("https://").partition("/")[0]
    old = OldStack(stack.directory, datetime.now(UTC), stack.lab.bundle.read_bytes(), stack.address, ca)
    stack.compose("up", "--detach")
    wait_until(lambda: all(stack.https(name, trust=False).status == 200 for name in old.serials))
    before, serials = stack.state(), old.serials
    assert {name: stack.serial(name) for name in serials} == serials

    assert json.loads(stack.ok("plan", "--output", "json").stdout)["operations"] == []
    stack.ok("up")
    assert stack.state() == before
    assert {name: stack.serial(name) for name in serials} == serials

    stack.ok("rollback", "3")
    stack.ok("rollback", "5")
    assert {name: stack.serial(name) for name in serials} == serials
