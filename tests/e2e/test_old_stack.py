"""A stack that an earlier version made, as it runs on a host, and this version next to it."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime

import pytest

from tests.e2e.helpers import Stack, wait_until
from tests.faults.client import Client
from tests.old_stack.fixture import OldStack

pytestmark = pytest.mark.e2e

GAP_SECONDS = 15.0
"""How long the ports of the proxy may be closed while its container is replaced, on a busy machine."""


def test_a_running_stack_of_an_earlier_version_gets_the_files_of_this_one(stack: Stack) -> None:
    ca = stack.lab.directory.removeprefix("https://").partition("/")[0]
    old = OldStack(stack.directory, datetime.now(UTC), stack.lab.bundle.read_bytes(), stack.address, ca)
    stack.compose("up", "--detach")
    wait_until(lambda: all(stack.https(name, trust=False).status == 200 for name in old.serials))
    serials, containers = old.serials, stack.compose("ps", "--quiet")
    assert {name: stack.serial(name) for name in serials} == serials

    planned = json.loads(stack.ok("plan", "--output", "json").stdout)["operations"]
    assert {one["cause"] for one in planned} == {
        "settings of all sites changed",
        "missing",
        "the stack changes",
        "the proxy has no copy of it",
        "its definition changed",
        "its definition changed: its ports are closed for about a second",
        *(f"{name} changed" for name in serials if not name.startswith("www.")),
        "the proxy's files change",
        "the proxy loaded its files",
        "keeps private keys out of version control",
        "keeps private keys out of images",
    }
    with ExitStack() as open_clients:
        clients = [open_clients.enter_context(Client(stack.address, name, None)) for name in serials]
        stack.ok("up")
    for client in clients:
        # The container is replaced: meanwhile there is no answer or, before names are resolved, a 502.
        assert {error for error in client.errors if error.startswith("status")} <= {"status 502"}
        assert client.lost[-1] - client.lost[0] < GAP_SECONDS
        assert client.requests > len(client.errors)
    assert len(set(stack.compose("ps", "--quiet").split()) & set(containers.split())) == len(serials) - 1, "the apps"
    assert {name: stack.serial(name) for name in serials} == serials
    assert json.loads(stack.ok("plan", "--output", "json").stdout)["operations"] == []

    stack.ok("rollback", "3")
    stack.ok("rollback", "5")
    assert {name: stack.serial(name) for name in serials} == serials
