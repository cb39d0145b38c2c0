"""Metrics and alerts from the certbot container of a real stack, while no stackctl runs."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.authority import Authority
from tests.bench.lab import gateway
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import Stack, wait_until
from tests.e2e.loops import SHORT_INTERVALS, make_due, make_undue
from tests.integration.test_promtool import promtool
from tests.unit.receivers import Received, web_receiver

pytestmark = pytest.mark.e2e

CA = Authority()


@pytest.fixture(scope="module")
def web() -> Iterator[Received]:
    with web_receiver(gateway()) as received:
        yield received


@pytest.fixture(scope="module")
def stack(new_stack: NewStack, web: Received) -> Stack:
    """Two sites, one with an imported certificate that ends in five days; the loop is quick."""
    made = new_stack()
    made.init()
    made.add("renewed")
    made.add("imported")
    (made.directory / "docker-compose.override.yml").write_text(SHORT_INTERVALS)
    made.edit(
        "x-stackctl:\n  email", f"x-stackctl:\n  alerts: {{to: ['{web.url}/hook'], ping: '{web.url}/ping'}}\n  email"
    )
    made.ok("up")
    return made


def bring(stack: Stack, days: int) -> None:
    begins = datetime.now(UTC).replace(microsecond=0) - timedelta(days=30)
    leaf = CA.leaf(stack.domain("imported"), begins=begins, lifetime=timedelta(days=30 + days))
    cert, key = stack.directory / "given.pem", stack.directory / "given.key"
    cert.write_bytes(leaf.pem + CA.middle.pem)
    key.write_bytes(leaf.key_pem())
    stack.ok("cert", "import", stack.domain("imported"), "--cert", cert, "--key", key)


def rounds(web: Received, count: int) -> None:
    """Wait until as many more rounds were pinged, each after its look."""
    before = len(web.paths)
    wait_until(lambda: sum(path.startswith("GET /ping/0") for path in web.paths[before:]) >= count, 60, "rounds end")


def test_metrics_are_there_while_no_stackctl_runs(stack: Stack, web: Received) -> None:
    rounds(web, 1)
    text = (stack.directory / "data/metrics/stackctl.prom").read_text()
    assert promtool("check", "metrics", said=text) == ""
    name = stack.domain("renewed")
    assert f'stackctl_certificate_on_wire{{stack="{stack.project}",name="{name}"}} 1' in text.splitlines()
    printed = stack.ok("metrics").stdout
    assert promtool("check", "metrics", said=printed) == ""
    assert f'stackctl_upstream_up{{stack="{stack.project}",site="{name}",upstream="renewed:8000"}} 1' in printed
    told = {line.partition("{")[0] for line in text.splitlines() if line.startswith("stackctl_certificate")}
    assert told < {line.partition("{")[0] for line in printed.splitlines()}


def test_each_response_is_counted_once(stack: Stack) -> None:
    name = stack.domain("renewed")
    stack.ok("metrics")
    for _ in range(5):
        assert stack.https(name).status == 200
    row = f'stackctl_site_responses_total{{stack="{stack.project}",site="{name}",class="2xx"}} 5'
    wait_until(lambda: row in stack.ok("metrics").stdout.splitlines(), 20, "their lines are in the log")
    assert row in stack.ok("metrics").stdout.splitlines()


def test_an_end_that_is_near_is_one_message_and_its_renewal_another(stack: Stack, web: Received) -> None:
    assert "✓" in stack.ok("alerts", "test").stdout
    web.bodies.clear()
    bring(stack, 5)
    wait_until(lambda: web.bodies, 30, "the alert arrives")
    rounds(web, 2)
    assert [(body["type"], stack.domain("imported") in body["title"]) for body in web.bodies] == [("failure", True)]
    bring(stack, 300)
    wait_until(lambda: len(web.bodies) > 1, 30, "its end arrives")
    rounds(web, 1)
    assert [body["type"] for body in web.bodies] == ["failure", "success"]


def test_a_receiver_that_hangs_delays_no_renewal_and_gets_the_message_later(stack: Stack, web: Received) -> None:
    name = stack.domain("renewed")
    with socket.create_server((gateway(), 0)) as silent:
        port = silent.getsockname()[1]
        stack.edit(f"to: ['{web.url}/hook']", f"to: ['http://{gateway()}:{port}/']")
        bring(stack, 5)
        silent.settimeout(60)
        connection, _ = silent.accept()
        serial = stack.serial(name)
        make_due(stack, name)
        wait_until(lambda: stack.serial(name) != serial, 15, "the certificate is renewed meanwhile")
        make_undue(stack, name)
        connection.close()
    with web_receiver(gateway(), port) as later:
        wait_until(lambda: later.bodies, 60, "the message arrives later")
        assert stack.domain("imported") in later.bodies[0]["title"]
