"""Limits, headers, blocked clients and HTTP/3 on a real engine: set by the file, explained and taken back."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import wait_until
from tests.quic import ask_all

pytestmark = pytest.mark.e2e

KEYS = """\
  http3: true
  block:
    lists: [lists/blocked.txt]
  headers: {preset: strict, hsts: 180d, remove: [Server-Timing]}
  rate-limit: {requests: 1/m, burst: 4}
  connections: 20
  compress: true
"""


def test_a_stack_speaks_http3_with_limits_and_headers_until_they_are_taken_back(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.init()
    name = stack.add("limited")
    (stack.directory / "lists").mkdir()
    (stack.directory / "lists/blocked.txt").write_text("198.51.100.0/24 ; nobody here\n")
    stack.edit("  agree-tos: true\n", f"  agree-tos: true\n{KEYS}")
    stack.ok("up")
    assert '443/udp" # of x-stackctl.http3' in stack.file.read_text()

    first = stack.https(name)
    assert (first.status, first.headers["alt-svc"]) == (200, 'h3=":443"; ma=86400')
    assert first.headers["strict-transport-security"] == "max-age=15552000"
    replies = ask_all(443, name, [(name, "/")] * 6, stack.address)
    assert [reply.status for reply in replies] == [200] * 4 + [429] * 2, "one had been asked for over HTTP/1.1"
    assert replies[-1].headers["x-frame-options"] == "DENY"

    explained = json.loads(stack.run("explain", name, "--output", "json").stdout)
    limits = [link for link in explained["links"] if link["link"] == "limit"]
    assert [one["verdict"] for one in limits] == ["wrong", "ok"], "the proxy's log names the zone that refused"
    assert all(one["where"].startswith("docker-compose.yml:") for one in limits)
    checks = json.loads(stack.run("doctor", "--output", "json").stdout)["sections"][0]["checks"]
    assert next(check["verdict"] for check in checks if check["name"] == "http3") == "unknown", "it answers here"

    stack.ok("rollback")
    assert "443/udp" not in stack.file.read_text()
    wait_until(lambda: stack.https(name).status == 200, what="the site answers")
    assert "alt-svc" not in stack.https(name).headers
