"""A port that a rootless engine may not publish: run alone on each rootless engine."""

from __future__ import annotations

import pytest

from tests.e2e.helpers import Stack

pytestmark = pytest.mark.e2e

LOW = 79
"""The machine allows its user the ports from 80."""


def test_a_port_without_the_right_to_it_is_one_message_with_what_to_do(stack: Stack) -> None:
    done = stack.fails(4, *stack.init_arguments("--http", f"{stack.address}:{LOW}"))
    said = done.stdout + done.stderr
    assert said.count(f"a rootless engine may not publish port {LOW}") == 1, said
    assert f"sysctl -w net.ipv4.ip_unprivileged_port_start={LOW}" in done.stderr
    # The second way out.
    assert "edit 'ports' of the service in the Compose file, then run 'stackctl up'" in done.stderr
    stack.edit(f"{stack.address}:{LOW}:80", f"{stack.address}:80:80")
    stack.ok("up")
    assert stack.closed("stranger.example.com")
