"""A running service of the user's is routed at its own port, as long as it takes, and proved like a new one."""

from __future__ import annotations

import json

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, Stack, wait_until

pytestmark = pytest.mark.e2e

SLOW = "import time; time.sleep(6); exec(open('/app.py').read())"
IMPATIENT = "from stackctl.engine.apply import services; services.SERVICE_SECONDS = 2.0"
"""Instead of the minute for which stackctl waits."""
SERVICES = f"""
  web:
    image: {APP_IMAGE}
    environment: {{PORT: "3000"}}
    expose: ["3000"]
  hidden:
    image: {APP_IMAGE}
    environment: {{PORT: "3000"}}
  two:
    image: {APP_IMAGE}
    expose: ["3000", "9229"]
  slow:
    image: {APP_IMAGE}
    command: {json.dumps(["python3", "-uc", SLOW])}
    stop_grace_period: 0s
    healthcheck:
      test: [CMD, python3, -c, "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/')"]
      interval: 1s
      start_period: 30s
"""


@pytest.fixture(scope="module")
def stack(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.file.write_text(made.file.read_text() + SERVICES)
    made.compose("up", "-d", "web", "hidden", "two")
    return made


def test_the_port_is_the_one_that_the_service_exposes(stack: Stack) -> None:
    started = stack.container("web")
    stack.ok("add-app", stack.domain("web"), "--service", "web", "--no-issue")
    assert stack.https(stack.domain("web"), trust=False).status == 200
    assert stack.container("web") == started
    done = stack.fails(2, "add-app", stack.domain("two"), "--service", "two")
    assert "several ports: 3000, 9229" in done.stderr
    assert "--port" in done.stderr


def test_a_port_at_which_nothing_listens_is_reported_and_the_site_is_published(stack: Stack) -> None:
    done = stack.run_after(IMPATIENT, "add-app", stack.domain("hidden"), "--service", "hidden", "--no-issue")
    assert done.returncode == 4, done.stdout + done.stderr
    assert "wrong port: nothing listens on 8000" in done.stderr
    assert stack.https(stack.domain("hidden"), trust=False).status == 502
    advice = next(line for line in done.stderr.splitlines() if "set 'port: 3000' at" in line)
    at = int(advice.split("docker-compose.yml:")[1].split()[0])
    lines = stack.file.read_text().split("\n")
    number = next(number for number in range(at - 1, len(lines)) if "port: 8000" in lines[number])
    lines[number] = lines[number].replace("8000", "3000")
    stack.file.write_text("\n".join(lines))
    before = stack.workers()
    stack.ok("up", "--no-issue")
    wait_until(lambda: not stack.workers() & before, what="the old workers are ending")
    assert stack.https(stack.domain("hidden"), trust=False).status == 200


def test_a_health_check_says_how_long_to_wait(stack: Stack) -> None:
    stack.compose("rm", "--stop", "--force", "slow")
    done = stack.run_after(IMPATIENT, "add-app", stack.domain("slow"), "--service", "slow", "--no-issue")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "as its health check allows" in done.stdout
    assert stack.https(stack.domain("slow"), trust=False).status == 200
