"""One scenario on three real versions of nginx: each can do other things, all must serve the same."""

from __future__ import annotations

import pytest

from tests.e2e.helpers import APP_IMAGE, Stack, docker, wait_until

pytestmark = pytest.mark.e2e


@pytest.mark.parametrize(
    ("nginx", "certbot"),
    [
        ("stackctl/nginx:1.22", "stackctl/certbot:4.0"),
        ("stackctl/nginx:1.26", "stackctl/certbot:5.5"),
        ("stackctl/nginx:1.30", "stackctl/certbot:4.0"),
    ],
)
def test_a_stopped_app_costs_its_own_502_and_nobodys_reload(stack: Stack, nginx: str, certbot: str) -> None:
    stack.init(nginx=nginx, certbot=certbot)
    first = stack.add("app1")
    second = stack.domain("app2")
    stack.ok("add-app", second, "--image", APP_IMAGE, "--no-issue")
    assert stack.trusted(first)
    assert stack.http(second).status == 200

    docker("stop", "--time", "1", stack.container("app1"))
    wait_until(lambda: stack.https(first).status == 502, 10, "the stopped app is a 502")
    assert stack.http(second).status == 200

    # A reload of everything while one upstream is missing.
    before = stack.workers()
    third = stack.domain("app3")
    stack.ok("add-app", third, "--image", APP_IMAGE, "--no-issue")
    wait_until(lambda: not stack.workers() & before, what="the old workers are ending")
    assert stack.http(third).status == 200
    assert stack.http(second).status == 200
    assert stack.https(first).status == 502

    # The proxy itself comes back without it too.
    docker("restart", "--time", "5", stack.container("nginx"))
    wait_until(lambda: stack.http(second).status == 200, 15, "the proxy starts with an upstream missing")
    assert stack.https(first).status == 502

    # Found again, by no one's command to the proxy.
    docker("start", stack.container("app1"))
    wait_until(lambda: stack.trusted(first), 15, "the started app is served")

    # An edit by hand, with another app stopped: 'up' converges on all of it.
    docker("stop", "--time", "1", stack.container("app2"))
    stack.edit(f"        - {first}\n      port: 8000", f"        - {first}\n      port: 8000\n      body-size: 1k")
    stack.ok("up", "--no-issue")
    assert stack.https(first, "/upload", method="POST", body=bytes(2000)).status == 413
    wait_until(lambda: stack.http(second).status == 200, 15, "the app that 'up' started is served")
