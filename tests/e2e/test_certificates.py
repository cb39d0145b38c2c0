"""Certificates: names that change, those that are not due, and those the CA does not issue."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.e2e.conftest import NewStack
from tests.e2e.helpers import APP_IMAGE, ECDSA, NOBODY, RSA, Stack, certbot, dns, sans

pytestmark = pytest.mark.e2e


SERVICE = """\
  {label}:
    image: {image}
    x-stackctl:
      domains: [{name}]
      port: 8000
"""


@pytest.fixture(scope="module")
def shared(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    made.add("app1")
    return made


def test_an_alias_added_by_hand_joins_the_same_certificate(shared: Stack) -> None:
    name = shared.add("app2")
    alias = f"www.{name}"
    shared.add_dns(alias)
    serial = shared.serial(name)
    shared.edit(f"- {name}\n", f"- {name}\n        - {alias}\n")

    shared.ok("up")

    assert sans(shared.https(alias).certificate) == {name, alias}
    assert shared.serial(name) == shared.serial(alias) != serial
    assert [lineage for lineage in shared.lineages() if lineage.startswith("app2")] == [name]
    assert shared.http(alias).headers["Location"] == f"https://{alias}/"


def test_nothing_due_is_not_renewed(shared: Stack) -> None:
    before, serial = shared.state(), shared.serial(shared.domain("app1"))
    shared.ok("renew")
    assert shared.state() == before
    assert shared.serial(shared.domain("app1")) == serial


def test_a_forced_renewal_reaches_the_wire(shared: Stack) -> None:
    name = shared.domain("app1")
    serial = shared.serial(name)
    shared.ok("renew", "--force", name)
    assert shared.serial(name) != serial
    assert shared.trusted(name)
    assert [lineage for lineage in shared.lineages() if lineage.startswith("app1")] == [name]


def test_a_profile_of_six_days_goes_the_same_path(shared: Stack) -> None:
    before = shared.file.read_text()
    shared.edit("agree-tos: true\n", "agree-tos: true\n  profile: shortlived\n")
    name = shared.add("short")
    certificate = shared.certificate(name)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc < timedelta(days=7)
    assert shared.trusted(name)
    state = shared.state()
    shared.ok("renew")
    shared.ok("up")
    assert shared.state() == state
    shared.edit("agree-tos: true\n  profile: shortlived\n", "agree-tos: true\n")
    assert shared.file.read_text().startswith(before.rstrip())


def test_one_site_gets_a_key_and_a_profile_of_its_own_at_once(shared: Stack) -> None:
    name, other = shared.domain("app1"), shared.add("app3")
    serial = shared.serial(other)
    shared.ok("set", name, "key-type=rsa", "profile=shortlived")
    certificate = shared.certificate(name)
    assert isinstance(certificate.public_key(), rsa.RSAPublicKey)
    assert certificate.not_valid_after_utc - certificate.not_valid_before_utc < timedelta(days=8)
    assert shared.serial(other) == serial
    shared.ok("up")
    shared.ok("renew", "--changed")
    assert shared.serial(name) == certificate.serial_number, "it is as the file says"


def test_both_keys_are_served_each_to_its_clients_and_both_are_renewed(shared: Stack) -> None:
    name = shared.add("both")
    shared.ok("set", name, "key-type=[ecdsa, rsa]")
    assert {name, f"{name}_rsa"} <= {*shared.lineages()}
    first, second = shared.certificate_for(name, ECDSA), shared.certificate_for(name, RSA)
    assert isinstance(first.public_key(), ec.EllipticCurvePublicKey)
    assert isinstance(second.public_key(), rsa.RSAPublicKey)
    assert sans(first) == sans(second) == {name}
    assert shared.serial(name) == first.serial_number, "an ordinary client gets the small one"
    state = shared.state()
    shared.ok("up")
    assert shared.state() == state
    shared.ok("doctor", name)

    shared.ok("renew", "--force", name)

    assert shared.serial_for(name, ECDSA) != first.serial_number
    assert shared.serial_for(name, RSA) != second.serial_number
    assert shared.trusted(name)


def test_a_changed_address_reaches_the_ca(shared: Stack) -> None:
    shared.edit("you@example.com", "new@example.com")
    shared.ok("up")
    account = certbot(shared.container("certbot"), "show_account", "--server", shared.lab.directory)
    assert "new@example.com" in account
    assert "you@example.com" not in account


def _nobody_answers(stack: Stack, name: str) -> Callable[[], None]:
    stack.add_dns(name, address=NOBODY)
    return lambda: stack.add_dns(name)


def _servfail(stack: Stack, name: str) -> Callable[[], None]:
    stack.add_dns(name)
    dns("set-servfail", name)
    return lambda: dns("clear-servfail", name)


@pytest.mark.parametrize(("label", "break_dns"), [("dead", _nobody_answers), ("servfail", _servfail)])
def test_a_certificate_that_is_not_issued_costs_nobody_else(
    shared: Stack, label: str, break_dns: Callable[[Stack, str], Callable[[], None]]
) -> None:
    good, serial = shared.domain("app1"), shared.serial(shared.domain("app1"))
    name = shared.domain(label)
    mend = break_dns(shared, name)
    command = ("add-app", name, "--image", APP_IMAGE)

    done = shared.fails(7, *command, "--force", "--output", "json")  # what the CA says, not what is seen from here

    errors = json.loads(done.stdout)["errors"]
    assert [error["code"] for error in errors] == [7]
    assert "A and AAAA" in errors[0]["hint"] or "A or AAAA" in errors[0]["hint"]
    # The site lives on HTTP and with its dummy, the other one as before.
    assert shared.http(name).json()["app"] == shared.container(label)[:12]
    assert shared.https(name, trust=False).status == 200
    assert not shared.certificate(name).issuer.rfc4514_string().count("Pebble")
    assert shared.trusted(good)
    assert shared.serial(good) == serial

    mend()
    shared.ok(*command)
    assert shared.trusted(name)
    assert shared.http(name).status == 301
    assert shared.serial(good) == serial
    assert [lineage for lineage in shared.lineages() if lineage.startswith(label)] == [name]


def test_one_failure_of_several_leaves_the_others_issued(new_stack: NewStack) -> None:
    stack = new_stack()
    stack.init()
    good, bad, fine = names = [stack.domain(label) for label in ("good", "bad", "fine")]
    stack.add_dns(good, fine)
    stack.add_dns(bad, address=NOBODY)
    with stack.file.open("a") as file:
        file.writelines(SERVICE.format(label=name.partition(".")[0], image=APP_IMAGE, name=name) for name in names)

    stack.fails(7, "up")

    assert stack.trusted(good)
    assert stack.trusted(fine)
    assert stack.http(bad).status == 200
    assert stack.lineages() == sorted([good, fine])
