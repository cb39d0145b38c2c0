"""The unattended loop does what the Compose file says, reports what fails, and leaves certbot to its guides."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import ECDSA, RSA, Stack, wait_until
from tests.e2e.loops import SHORT_INTERVALS, held, make_due, make_undue

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.add("app1")
    made.add("app2")
    return made


def checks(stack: Stack) -> dict[str, dict[str, str]]:
    """The checks of the certificates, by name; of several of one name a wrong one."""
    printed = json.loads(stack.run("doctor", "--output", "json").stdout)
    rows = [row for section in printed["sections"] if section["title"] == "certificates" for row in section["checks"]]
    return {row["name"]: row for row in sorted(rows, key=lambda row: row["verdict"] == "wrong")}


def planned(stack: Stack) -> list[str]:
    return [operation["text"] for operation in json.loads(stack.ok("plan", "--output", "json").stdout)["operations"]]


@contextmanager
def suppress_refused_nonce() -> Iterator[None]:
    try:
        yield
    except AssertionError as error:
        if "badNonce" not in str(error):
            raise


def test_arguments_to_the_service_are_certbots(shared: Stack) -> None:
    name = shared.domain("app1")
    for words in (("run", "--rm", "-T", "certbot"), ("run", "--rm", "-T", "certbot", "certbot")):
        assert f"Certificate Name: {name}" in shared.compose(*words, "certificates")
    assert f"Certificate Name: {name}" in shared.compose("exec", "-T", "certbot", "certbot", "certificates")
    serial = shared.serial(name)
    at_once = ("--no-random-sleep-on-renew", "--force-renewal")  # without a terminal certbot waits some minutes
    for _ in range(5):  # the test CA refuses some nonces, and certbot repeats a request only once
        with suppress_refused_nonce():
            shared.compose("run", "--rm", "-T", "certbot", "renew", *at_once, "--cert-name", name)
            break
    wait_until(lambda: shared.serial(name) != serial, 90, "what it renewed is on the wire")
    assert planned(shared) == []


def test_settings_of_another_host_are_brought_in_line_and_the_loop_goes_on(shared: Stack) -> None:
    name, other, conf = shared.domain("app1"), shared.domain("app2"), shared.live.parent
    (conf / "cli.ini").write_text("authenticator = standalone\npre-hook = false\nserver = https://ca.invalid/dir\n")
    hook = conf / "renewal-hooks/pre/stop.sh"
    hook.parent.mkdir(parents=True, exist_ok=True)
    hook.write_text("#!/bin/sh\nsystemctl stop nginx\n")
    hook.chmod(0o755)
    (account,) = (path.parent for path in conf.glob("accounts/**/regr.json"))
    shutil.copytree(account, account.with_name("0" * 32))
    file = conf / f"renewal/{name}.conf"
    text = re.sub(r"(?m)^(account|authenticator) = .*\n", "", file.read_text())
    file.write_text(
        text.replace("[renewalparams]\n", "[renewalparams]\nauthenticator = standalone\nautorenew = False\n")
    )
    make_due(shared, other)
    shared.edit("x-stackctl:\n", "x-stackctl:\n  key-type: rsa\n")
    found = checks(shared)
    assert (found["renewal-settings"]["verdict"], found["cert-renewal"]["verdict"]) == ("wrong", "wrong")

    changes = "\n".join(planned(shared))
    assert (
        "change cli.ini: 'authenticator = standalone' is disabled; 'pre-hook = false' is disabled; 'server =" in changes
    )
    assert "rename renewal-hooks/pre/stop.sh" in changes
    assert "authenticator standalone is changed to webroot" in changes
    assert f"account none is changed to {account.name}" in changes
    assert "renew_before_expiry is removed: 36500 days" in changes
    serials = [shared.serial(one) for one in (name, other)]
    shared.ok("up")
    assert planned(shared) == []
    assert [shared.serial(one) for one in (name, other)] == serials, "nothing is requested for it"
    found = checks(shared)
    assert (found["renewal-settings"]["verdict"], found["cert-renewal"]["verdict"]) == ("ok", "ok")

    # The account in use is passed where certbot would ask which one to use.
    third = shared.add("app3")
    assert f"account = {account.name}\n" in (conf / f"renewal/{third}.conf").read_text()
    # The next renewal follows the Compose file.
    make_due(shared, name)
    (shared.directory / "docker-compose.override.yml").write_text(SHORT_INTERVALS)
    shared.compose("up", "--detach")
    wait_until(lambda: shared.serial(name) != serials[0], 60, "the loop renews it")
    assert isinstance(shared.certificate(name).public_key(), rsa.RSAPublicKey)
    make_undue(shared, name)  # else every round replaces what the next test looks at


def test_a_renewal_that_fails_is_reported_at_once_and_cleared_by_the_next_success(shared: Stack) -> None:
    name, conf = shared.domain("app2"), shared.live.parent
    (shared.directory / "docker-compose.override.yml").write_text(SHORT_INTERVALS)
    shared.compose("up", "--detach")
    file = conf / f"renewal/{name}.conf"
    with held(shared):
        file.write_text(re.sub(r"(?m)^server = .*$", "server = https://127.0.0.1:1/directory", file.read_text()))
    make_due(shared, name)
    stamps = conf.parent / "deploy"
    wait_until((stamps / "failed").exists, 60, "a round fails")
    found = checks(shared)["renewal-round"]
    assert found["verdict"] == "wrong"
    assert f"could not renew {name} (last success: " in found["text"]
    assert "127.0.0.1" in found["text"]
    status = shared.ok("status")
    assert f"renewal: the last round could not renew {name}" in status.stdout + status.stderr
    renewal = json.loads(shared.ok("status", "--output", "json").stdout)["renewal"]
    assert [row["certificate"] for row in renewal["failing"]] == [name]

    shared.ok("up")  # brings the CA back in line
    wait_until(lambda: not (stamps / "failed").exists(), 60, "a round succeeds")
    assert wait_until(lambda: checks(shared)["renewal-round"]["verdict"] == "ok", 20)
    assert json.loads(shared.ok("status", "--output", "json").stdout)["renewal"]["problem"] is None


def test_the_loop_renews_the_second_certificate_of_a_site_too(shared: Stack) -> None:
    name = shared.domain("app1")
    shared.ok("set", name, "key-type=[ecdsa, rsa]")
    first, second = (shared.serial_for(name, signatures) for signatures in (ECDSA, RSA))
    make_due(shared, f"{name}_rsa")
    wait_until(lambda: shared.serial_for(name, RSA) != second, 60, "the loop renews it")
    assert shared.serial_for(name, ECDSA) == first
