"""A site asks for a password: on the wire, after a restart without stackctl, and until the user is removed."""

from __future__ import annotations

import base64

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import docker, wait_until

pytestmark = pytest.mark.e2e

ANN = {"Authorization": "Basic " + base64.b64encode(b"ann:a long password").decode()}


def test_a_password_opens_a_site_until_its_user_is_removed(new_stack: NewStack) -> None:
    stack = new_stack()
    name = stack.domain("app")
    stack.add_dns(name)
    stack.init()
    stack.ok("add-app", name, "--image", "stackctl-lab/app:latest")
    stack.edit("      port: 8000\n", "      port: 8000\n      access: {users: secrets/app.htpasswd, skip: [/health]}\n")
    assert "user add" in stack.fails(3, "up").stderr
    for user in ("ann", "ben"):
        added = stack.run_with("a long password\n", "user", "add", name, user)
        assert added.returncode == 0, added.stderr
    assert (stack.directory / "secrets/app.htpasswd").stat().st_mode & 0o777 == 0o600
    asked = [stack.https(name, path).status == 401 for path in ("/", "/health", "/health/../x")]
    assert asked == [True, False, True]
    assert stack.https(name, headers=ANN).status == 200
    docker("restart", stack.container("nginx"))
    wait_until(lambda: not stack.closed(name), what="the proxy is back")
    assert stack.https(name, headers=ANN).status == 200
    stack.ok("user", "remove", name, "ann")
    assert stack.https(name, headers=ANN).status == 401
    assert "ben" in stack.ok("user", "list", name).stdout
