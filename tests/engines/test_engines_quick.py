"""A stack on another engine than the machine's, found by a context: a part of 'make engines'."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.helpers import Lab, Stack
from tests.engines.__main__ import on_machine, table
from tests.engines.machine import FEW, KINDS, Machine, machine

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def newest() -> Iterator[Machine]:
    with machine(KINDS["28"], FEW) as made:
        yield made


def test_a_stack_is_served_by_the_newest_engine(newest: Machine) -> None:
    row = on_machine(newest, ["tests/e2e/test_init.py"])
    assert row.passed, table([row])
    assert row.counts.endswith(" passed")


def test_an_engine_that_does_not_see_the_files_of_this_host_is_told(newest: Machine) -> None:
    """Its socket is here, as when it is forwarded by SSH; its files are elsewhere."""
    directory = Path(tempfile.mkdtemp(prefix="stackctl-lab-elsewhere-"))
    lab = Lab("https://ca.example.com/dir", newest.shared / "lab/ca/ca.pem", root="")
    stack = Stack(lab, directory, "127.0.0.99", "elsewhere", {"DOCKER_HOST": newest.socket})
    try:
        done = stack.fails(4, *stack.init_arguments())
    finally:
        shutil.rmtree(directory)
    assert done.stderr.count("the engine does not see the files of this host") == 1
    assert "run stackctl on the host of the engine" in done.stderr
    assert newest.docker("ps", "--all", "--quiet") == ""
