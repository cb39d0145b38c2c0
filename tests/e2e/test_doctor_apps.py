"""``doctor`` on a real stack: one fault fails exactly one check, and it is named first."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.e2e.ailments import APPS, CERTIFICATES, HEALTH, Ailment
from tests.e2e.conftest import NewStack
from tests.e2e.helpers import Stack, wait_until

pytestmark = pytest.mark.e2e

MINE = ("app-", "cert-", "renewal-")
AILMENTS = {**APPS, **HEALTH, **CERTIFICATES}


@pytest.fixture(scope="module")
def stack(new_stack: NewStack) -> Stack:
    made = new_stack()
    made.init()
    for label in ("well", "sick"):
        made.add(label)
    return made


def looked(stack: Stack, code: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Return all rows of ``doctor``, and those that are wrong."""
    shown = json.loads(stack.fails(code, "doctor", "--output", "json").stdout)
    rows = [row for section in shown["sections"] for row in section["checks"]]
    return rows, [row for row in rows if row["verdict"] == "wrong"]


def test_a_healthy_stack_passes(stack: Stack) -> None:
    rows, wrong = looked(stack, 0)
    assert wrong == []
    mine = [row for row in rows if row["name"].startswith(MINE)]
    assert {row["verdict"] for row in mine} == {"ok"}
    assert {row["subject"] for row in mine} == {stack.domain("well"), stack.domain("sick"), "certbot"}
    assert len(mine) == 3 + 2 * (4 + 9)


@pytest.mark.parametrize("ailment", AILMENTS.values(), ids=AILMENTS)
def test_one_fault_fails_exactly_one_check(stack: Stack, ailment: Ailment) -> None:
    wait_until(lambda: stack.trusted(stack.domain("sick")), what="it is well after the fault before")
    before = stack.files()
    with ailment.breaks(stack, stack.domain("sick")):
        rows, wrong = looked(stack, 1)
    subject = stack.domain("sick") if ailment.subject == "sick" else ailment.subject
    assert [(row["name"], row["subject"]) for row in wrong] == [(ailment.check, subject)]
    assert ailment.text in wrong[0]["text"]
    assert wrong[0]["todo"]
    well = [row for row in rows if row["subject"] == stack.domain("well") and row["name"].startswith(MINE)]
    assert {row["verdict"] for row in well} == {"ok"}
    changed = {name for name, facts in stack.files().items() if before.get(name, (0, 0, ""))[2] != facts[2]}
    assert changed == set(), "doctor only looks"


def test_without_a_certificate_the_dummy_is_reported(stack: Stack) -> None:
    name = stack.domain("bare")
    stack.add_dns(name)
    stack.ok("add-app", name, "--service", "well", "--port", "8000", "--no-issue")
    try:
        done = stack.fails(1, "doctor", name)
        assert "✗ cert-issued" in done.stdout
        assert "a dummy is served" in done.stdout
        assert done.stdout.count("✗") == 1
        assert stack.domain("sick") not in done.stdout
    finally:
        stack.ok("remove-app", name)
