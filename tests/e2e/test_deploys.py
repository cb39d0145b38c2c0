"""A changed service is deployed while clients ask: no request is lost, whatever the app does."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import threading
from collections.abc import Mapping

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, ROOT, Stack, docker, inspect, trusting, wait_until
from tests.e2e.keepalive import load
from tests.e2e.swapped import swap_addresses
from tests.e2e.websocket import WebSocket
from tests.faults.kills import killed, planned

pytestmark = pytest.mark.e2e

APP = ROOT / "tests/lab/app/app.py"
IMAGES = ("stackctl-lab/app:tried-1", "stackctl-lab/app:tried-2", "stackctl-lab/app:tried-sick")
"""The lab's app with a name of its own in each, and one that never gets ready."""


def services(stack: Stack) -> str:
    return f"""
  shop:
    image: {APP_IMAGE}
    restart: always
    volumes: ["{APP}:/app.py:ro"]
    environment: {{APP_NAME: v1, BOOT: "0", WARM: "0", ON_SIGTERM: exit}}
    stop_grace_period: 1s
    x-stackctl:
      domains: [{stack.domain("shop")}]
      port: 8000
      health: {{path: /healthz, interval: 1s, timeout: 1s}}
      deploy: {{drain: 20s, timeout: 30s}}
  tried:
    image: {IMAGES[0]}
    restart: always
    environment: {{BOOT: "0", WARM: "1", ON_SIGTERM: exit}}
    stop_grace_period: 1s
    x-stackctl:
      domains: [{stack.domain("tried")}, {stack.domain("www")}]
      port: 8000
      health: {{path: /healthz}}
      deploy: {{drain: 20s, timeout: 5s}}
  alone:
    image: {APP_IMAGE}
    container_name: {stack.token}-alone
    environment: {{APP_NAME: v1}}
    x-stackctl:
      domains: [{stack.domain("alone")}]
      port: 8000
"""


@pytest.fixture(scope="module")
def stack(new_stack: NewStack) -> Stack:
    for image, line in zip(IMAGES, ("ENV APP_NAME=first", "ENV APP_NAME=second", "CMD false"), strict=True):
        docker("build", "--quiet", "--tag", image, "-", stdin=f"FROM {APP_IMAGE}\n{line}\n")
    made = new_stack()
    made.init()
    text = made.file.read_text()
    made.file.write_text(text.replace("\nservices:\n", f"\nservices:{services(made)}"))
    made.ok("up", "--no-issue")
    return made


def version(stack: Stack, number: int, **environment: str) -> None:
    """Edit the definition of the shop."""
    text = stack.file.read_text()
    values = {"APP_NAME": f"v{number}", "BOOT": "1", "WARM": "1", "ON_SIGTERM": "exit", **environment}
    new = f"environment: {json.dumps(values)}"
    stack.file.write_text(re.sub(r"environment: \{\"?APP_NAME\"?: .*ON_SIGTERM.*\}", new, text, count=1))


def slow(
    stack: Stack, seconds: int, label: str = "shop", headers: Mapping[str, str] | None = None
) -> tuple[threading.Thread, list[str]]:
    """Begin a request that takes so long; the list gets the app that has answered."""
    found: list[str] = []

    def ask() -> None:
        reply = stack.https(stack.domain(label), f"/slow?seconds={seconds}", headers=headers, trust=False)
        found.append(reply.json()["app"])

    thread = threading.Thread(target=ask)
    thread.start()
    return thread, found


def test_no_request_is_lost_and_one_that_takes_long_ends_on_the_old_container(stack: Stack) -> None:
    name = stack.domain("shop")
    other = WebSocket(stack.address, stack.domain("alone"), trusting(None))
    with other, load(stack.address, name) as seen:
        wait_until(lambda: seen.answers["v1"] > 20)
        thread, answered = slow(stack, 10)
        version(stack, 2, ON_SIGTERM="ignore")
        assert "still has connections" not in stack.ok("up", "--no-issue").stdout
        wait_until(lambda: seen.answers["v2"] > 20)
        version(stack, 3)
        assert "still has connections" not in stack.ok("up", "--no-issue").stdout
        wait_until(lambda: seen.answers["v3"] > 20)
        assert other.echo(b"still here") == b"still here", "a deploy waits for its own requests only"
    thread.join()
    assert seen.lost == []
    assert answered == ["v1"]
    assert stack.https(name, trust=False).json()["app"] == "v3"
    before = stack.containers()
    assert inspect(before["shop"])["Name"] == f"/{stack.project}-shop-3"
    stack.compose("up", "--detach")
    assert stack.containers() == before, "nothing is left for Compose to change"


def test_a_service_that_is_to_have_no_container_finishes_its_requests(stack: Stack) -> None:
    text, name = stack.file.read_text(), stack.domain("tried")
    thread, answered = slow(stack, 4, "tried")
    stack.edit(f"    image: {IMAGES[0]}\n", f"    image: {IMAGES[0]}\n    deploy: {{replicas: 0}}\n")
    assert f"{name} is answered with 502: tried is to have no container" in stack.ok("plan", "--no-issue").stdout
    stack.ok("up", "--no-issue")
    thread.join()
    assert answered == ["first"]
    assert stack.https(name, trust=False).status == 502
    stack.file.write_text(text)
    stack.ok("up", "--no-issue")
    wait_until(lambda: stack.https(name, trust=False).status == 200, what="the proxy finds it again")


def test_what_never_gets_ready_leaves_the_old_container_serving(stack: Stack) -> None:
    before = stack.containers()["shop"]
    text = stack.file.read_text()
    version(stack, 9, WARM="600")
    stack.file.write_text(stack.file.read_text().replace("timeout: 30s", "timeout: 3s", 1))
    with load(stack.address, stack.domain("shop")) as seen:
        done = stack.fails(11, "up", "--no-issue")
        assert stack.containers()["shop"] == before
    assert seen.lost == []
    assert set(seen.answers) == {"v3"}
    assert "/healthz is answered with 503" in done.stderr
    assert "the deploy failed" in stack.ok("history").stdout
    stack.ok("rollback", "--no-issue")
    assert stack.file.read_text() == text
    assert stack.containers()["shop"] == before


def test_a_killed_deploy_goes_on_with_the_next_up(stack: Stack) -> None:
    version(stack, 4, BOOT="3")
    with load(stack.address, stack.domain("shop")) as seen:
        process = subprocess.Popen(
            stack.command("up", "--no-issue"),
            cwd=stack.directory,
            env=stack.environ(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        new = f"name={stack.project}-shop-4"
        wait_until(lambda: docker("ps", "--quiet", "--filter", new), what="the new container runs")
        process.send_signal(signal.SIGKILL)
        process.wait()
        stack.ok("up", "--no-issue")
        wait_until(lambda: seen.answers["v4"] > 20)
    assert seen.lost == []
    assert stack.https(stack.domain("shop"), trust=False).json()["app"] == "v4"
    assert "nothing to do" in stack.ok("plan", "--no-issue").stdout


@pytest.mark.parametrize(("kind", "restarts"), [("PinService", False), ("SwitchService", True)])
def test_names_come_back_by_themselves_after_a_killed_deploy(stack: Stack, kind: str, *, restarts: bool) -> None:
    name, command = stack.domain("shop"), ("up", "--no-issue")
    version(stack, 5 + restarts)
    plan = planned(stack, command)
    killed(stack, command, next(n for n, one in enumerate(plan, 1) if one["kind"] == kind), "after")
    conf = stack.directory / f"nginx/live/sites/{name}.conf"
    before = conf.read_bytes()
    (address,) = re.findall(r"server ([\d.]+):8000; # in place of", before.decode())
    swap_addresses(stack, "shop", "tried", address)
    if restarts:
        docker("restart", "--time", "1", stack.container("nginx"))

    def app() -> str | None:
        reply = stack.https(name, trust=False)
        found: str | None = reply.json()["app"] if reply.status == 200 else None
        assert not restarts or found in {None, "v4", "v5", "v6"}, "a proxy that starts asks no other site's container"
        return found

    wait_until(lambda: app() in {"v4", "v5", "v6"}, 15, "the site answers")
    assert conf.read_bytes() == before
    stack.ok(*command)
    assert app() == f"v{5 + restarts}"
    assert b"in place of" not in conf.read_bytes()
    assert "nothing to do" in stack.ok("plan", "--no-issue").stdout


def test_a_service_that_cannot_run_twice_stops_first_and_the_gap_is_told(stack: Stack) -> None:
    stack.edit("environment: {APP_NAME: v1}", "environment: {APP_NAME: v2}")
    shown = stack.ok("plan", "--no-issue").stdout
    line = next(n for n, text in enumerate(stack.file.read_text().splitlines(), 1) if "container_name" in text)
    assert f"only one container can be named {stack.token}-alone (docker-compose.yml:{line})" in shown
    done = stack.ok("up", "--no-issue")
    assert re.search(r"alone: stopped first, and answered again after \d+\.\d s", done.stdout)
    assert stack.https(stack.domain("alone"), trust=False).json()["app"] == "v2"


def test_a_site_that_is_sent_to_another_service_loses_no_request(stack: Stack) -> None:
    text, name = stack.file.read_text(), stack.domain("moved")
    stack.edit("\nx-stackctl:\n", f"\nx-stackctl:\n  apps:\n    - {{domains: [{name}], upstream: 'alone:8000'}}\n")
    stack.ok("up", "--no-issue")
    wait_until(lambda: stack.https(stack.domain("tried"), trust=False).status == 200, what="the other app is warm")
    with load(stack.address, name) as seen:
        wait_until(lambda: seen.total > 100)
        stack.edit("upstream: 'alone:8000'", "upstream: 'tried:8000'")
        stack.ok("up", "--no-issue")
        total = seen.total
        wait_until(lambda: seen.total > total + 100)
    assert seen.lost == []
    assert len(seen.answers) == 2
    stack.file.write_text(text)
    stack.ok("up", "--no-issue")


def test_a_canary_is_aborted_and_another_one_promoted_and_no_request_is_lost(stack: Stack) -> None:
    name, before = stack.domain("tried"), stack.file.read_text()
    old = stack.containers()["tried"]
    begin = ("deploy", name, "--image", IMAGES[1], "--canary", "30%", "--cookie", "group=beta")
    wait_until(lambda: stack.https(name, trust=False).status == 200, what="the app is warm")
    with load(stack.address, name) as seen:
        stack.ok(*begin)
        began = seen.total
        wait_until(lambda: seen.total > began + 400)
        share = seen.answers["second"] / seen.total
        assert stack.https(name, headers={"Cookie": "group=beta"}, trust=False).json()["app"] == "second"
        stack.compose("up", "--detach")
        assert stack.containers()["tried"] == old, "Compose has nothing to change"
        thread, answered = slow(stack, 3, "tried", {"Cookie": "group=beta"})
        stack.ok("abort", "tried")
        thread.join()
        assert stack.file.read_text() == before
        assert "tried-canary" not in stack.containers()
        stack.ok(*begin)
        stack.ok("promote", name)
        answers = seen.answers["second"]
        wait_until(lambda: seen.answers["second"] > answers + 50)
        settled = seen.answers["first"]
        wait_until(lambda: seen.answers["second"] > answers + 400)
        assert seen.answers["first"] == settled
    assert seen.lost == []
    assert answered == ["second"], "its request ended on the canary"
    assert 0.05 < share < 0.6
    assert "tried-canary" not in stack.file.read_text()
    assert "tried-canary" not in stack.containers()
    assert "nothing to do" in stack.ok("plan", "--no-issue").stdout


def test_a_canary_that_never_gets_ready_is_taken_away_and_nobody_saw_it(stack: Stack) -> None:
    before, there = stack.file.read_text(), stack.containers()
    with load(stack.address, stack.domain("tried")) as seen:
        done = stack.fails(11, "deploy", "tried", "--image", IMAGES[2], "--canary", "50%")
    assert seen.lost == []
    assert "the new container" in done.stderr
    assert (stack.file.read_text(), stack.containers()) == (before, there)


def test_a_canary_whose_containers_end_leaves_its_clients_to_the_others(stack: Stack) -> None:
    name = stack.domain("tried")
    wait_until(lambda: stack.https(name, trust=False).status == 200, what="the app is warm")
    app = stack.https(name, trust=False).json()["app"]
    image = IMAGES[1] if app == "first" else IMAGES[0]
    stack.ok("deploy", name, "--image", image, "--canary", "0%", "--cookie", "group=beta")
    beta = {"Cookie": "group=beta"}
    assert stack.https(name, headers=beta, trust=False).json()["app"] != app
    docker("kill", stack.container("tried-canary"))
    # A request that waits for the lost container, while nginx finds that the name has none, is answered with 502.
    wait_until(lambda: stack.https(name, headers=beta, trust=False).status == 200, 10)
    answers = [stack.https(name, headers=beta, trust=False) for _ in range(20)]
    assert {(reply.status, reply.json()["app"]) for reply in answers} == {(200, app)}
    assert "clients of this canary get tried:8000 until then" in stack.run("doctor", name).stdout
    stack.ok("abort", "tried")
