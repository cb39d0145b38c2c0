"""A stack that is up to date has nothing to do, whatever its services are made of: run on each engine."""

from __future__ import annotations

import pytest

from tests.e2e.helpers import APP_IMAGE, Stack

pytestmark = pytest.mark.e2e

OTHERS = f"""
  worker:
    image: {APP_IMAGE}
    env_file: [app.env, {{path: none.env, required: false}}]
    environment: {{KEPT: "a$$b", EMPTY: , HOME: }}
  again:
    extends: worker
    env_file: more.env
  beside:
    image: {APP_IMAGE}
    network_mode: "service:worker"
    entrypoint: [sleep, infinity]
    env_file: app.env
"""
OVERRIDE = f"services:\n  {{app}}:\n    env_file: [more.env]\n    environment: {{OVER: '\"{chr(0x1F600)}'}}\n"


def test_the_second_plan_is_empty(stack: Stack) -> None:
    stack.init()
    stack.add("app1")
    (stack.directory / "app.env").write_text("GREETING=hello\nSECRET='pa$word'\n")
    (stack.directory / "more.env").write_text("MORE=1\n")
    (stack.directory / "docker-compose.override.yml").write_text(OVERRIDE.replace("{app}", "app1"))
    stack.edit("\nservices:\n", f"\nservices:\n{OTHERS.lstrip(chr(10))}")
    stack.compose("up", "--detach")
    stack.ok("up")
    again = stack.state()
    assert "nothing to do" in stack.ok("up").stdout
    assert stack.state() == again
    (stack.directory / "app.env").write_text("GREETING=bye\n")
    assert "worker" in stack.ok("plan").stdout, "what a file contains counts"
