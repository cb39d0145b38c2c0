"""A few representative rows of 'make faults', run with the test suite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.helpers import APP_IMAGE
from tests.faults import ca_faults, ca_proxy, lock_faults
from tests.faults.__main__ import table
from tests.faults.bed import Bed, Row, Run, bed, begun
from tests.faults.ca_proxy import Proxy, between
from tests.faults.kills import around, planned

pytestmark = pytest.mark.e2e

PLACES = [("after", "Publish"), ("after", "Issue")]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    with begun([], quick=True) as made:
        yield made


@pytest.fixture(scope="module")
def proxy(run: Run) -> Iterator[Proxy]:
    with between(run.ca) as made:
        yield made


@pytest.fixture(scope="module")
def one(run: Run, proxy: Proxy) -> Iterator[Bed]:
    with bed(run, directory=proxy.directory) as made:
        yield made


@pytest.fixture(scope="module")
def command(one: Bed) -> list[str]:
    return ["add-app", one.name("app"), "--image", APP_IMAGE]


@pytest.fixture(scope="module")
def expected(one: Bed, command: list[str]) -> dict[str, Any]:
    one.stack.ok(*command)
    state = one.state()
    one.away(command[1])
    return state


def _held(run: Run, action: Callable[[], object]) -> None:
    before = len(run.rows)
    action()
    rows = run.rows[before:]
    assert rows
    assert all(row.held for row in rows), "\n" + table(rows)


@pytest.mark.parametrize(("when", "kind"), PLACES)
def test_killed(run: Run, one: Bed, command: list[str], expected: dict[str, Any], when: str, kind: str) -> None:
    plan = planned(one.stack, command)
    number = next(n for n, operation in enumerate(plan, 1) if operation["kind"] == kind)
    _held(run, lambda: around(one, command, plan, (number, when, kind), expected))
    one.away(command[1])


def test_a_certificate_for_the_wrong_key(run: Run, one: Bed, proxy: Proxy, expected: dict[str, Any]) -> None:
    def inject() -> None:
        proxy.fault = ca_proxy.wrong_certificate((one.stack.live / one.steady / "fullchain.pem").read_bytes())

    def mend() -> None:
        proxy.fault = ca_proxy.honest

    _held(run, lambda: ca_faults.unissued(one, "CA", "wrong key", inject, mend, expected, [7]))


def test_the_lock_of_a_dead_process(run: Run, one: Bed, command: list[str], expected: dict[str, Any]) -> None:
    _held(run, lambda: lock_faults.stale(one, command, expected))
    one.away(command[1])


def test_a_row_that_did_not_hold_is_reported() -> None:
    text = table([Row("CA", "down", "exit 7", "exit 0"), Row("DNS", "none", "a|b\nc", "differs", held=False)])
    assert "| DNS | none | a/b c | differs | - | 0 | **no** |" in text
    assert "2 rows run, 1 did not hold, 0 not run; 0 requests lost." in text
