"""``init`` in an empty directory."""

from __future__ import annotations

import stat

import pytest

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, Stack, docker, inspect

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.ok("add-app", made.domain("app1"), "--image", APP_IMAGE, "--no-issue")
    return made


def test_a_stranger_is_not_answered(shared: Stack) -> None:
    assert shared.closed("stranger.example.com")
    assert shared.closed(shared.address)
    assert shared.refused("stranger.example.com")
    assert shared.refused(None)


def test_the_challenge_is_answered_under_every_name(shared: Stack) -> None:
    folder = shared.directory / "data/certbot/www/.well-known/acme-challenge"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "token-of-a-test").write_text("key authorization")
    for name in ("stranger.example.com", shared.domain("app1")):
        reply = shared.http(name, "/.well-known/acme-challenge/token-of-a-test")
        assert (reply.status, reply.body) == (200, b"key authorization")
        # The app would redirect it.
        assert shared.http(name, "/.well-known/acme-challenge/no-such-token").status == 404


def test_an_app_without_certificate_is_served_on_http_and_with_a_dummy(shared: Stack) -> None:
    name = shared.domain("app1")
    assert shared.http(name).json()["headers"]["X-Forwarded-Proto"] == "http"
    assert shared.https(name, trust=False).status == 200
    assert shared.lineages() == []


def test_plain_compose_accepts_the_file(shared: Stack) -> None:
    shared.compose("config", "--quiet")
    assert set(shared.compose("ps", "--services").split()) == {"nginx", "certbot", "app1"}


def test_keys_are_the_owners_alone(shared: Stack) -> None:
    keys = list(shared.directory.rglob("privkey*.pem"))
    assert keys
    for key in keys:
        assert stat.S_IMODE(key.stat().st_mode) == 0o600, key
    assert stat.S_IMODE((shared.directory / ".stackctl").stat().st_mode) == 0o700


@pytest.mark.parametrize("service", ["nginx", "certbot"])
def test_the_stacks_own_containers_can_do_little(shared: Stack, service: str) -> None:
    facts = inspect(shared.container(service))
    host = facts["HostConfig"]
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert not {"SYS_ADMIN", "NET_ADMIN", "NET_RAW", "SYS_PTRACE"} & set(host["CapAdd"] or ())
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    assert host["Privileged"] is False
    assert not [mount for mount in facts["Mounts"] if "docker.sock" in mount["Source"]]
    assert host["RestartPolicy"]["Name"] == "always"


def test_the_proxy_becomes_healthy(shared: Stack) -> None:
    # Asked, not waited for: the health check itself is what has to work in the image.
    test = inspect(shared.container("nginx"))["Config"]["Healthcheck"]["Test"]
    assert test[0] == "CMD-SHELL"
    docker("exec", shared.container("nginx"), "sh", "-c", test[1])


def test_dry_run_changes_nothing(stack: Stack) -> None:
    stack.ok(*stack.init_arguments("--dry-run"))
    assert list(stack.directory.iterdir()) == []
    assert stack.containers() == {}
