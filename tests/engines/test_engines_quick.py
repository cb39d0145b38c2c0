"""A stack on another engine than the machine's, found by a context: a part of 'make engines'."""

from __future__ import annotations

import pytest

from tests.engines.__main__ import on, table
from tests.engines.machine import FEW, KINDS

pytestmark = pytest.mark.e2e


def test_a_stack_is_served_by_the_newest_engine() -> None:
    row = on(KINDS["28"], ["tests/e2e/test_init.py"], FEW)
    assert row.passed, table([row])
    assert row.counts.endswith(" passed")
