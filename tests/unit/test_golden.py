"""nginx files against their golden sets; ``STACKCTL_UPDATE_GOLDEN=1`` writes them anew.

Read the difference before committing it: tests/integration/test_nginx_golden.py only shows that nginx would start.
"""

from __future__ import annotations

import shutil

import pytest

from stackctl.proxies.nginx.health import program
from tests.unit.build import UPDATE_GOLDEN
from tests.unit.goldens import CASES, FOLDER, rendered

SETS = [(name, version) for name, case in CASES.items() for version in case.versions]


@pytest.mark.parametrize(("case", "version"), SETS)
def test_the_files_are_those_of_the_golden_set(case: str, version: str) -> None:
    folder = FOLDER / case / version
    copies = program(CASES[case].stack)
    files = {path: body for path, body in rendered(CASES[case], version).items() if path not in copies}
    if UPDATE_GOLDEN:
        shutil.rmtree(folder, ignore_errors=True)
        for path, body in files.items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(body)
    golden = {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert sorted(files) == sorted(golden)
    for path, body in files.items():
        assert body.decode() == golden[path].decode(), path


def test_no_golden_set_is_left_over() -> None:
    assert {(path.parent.name, path.name) for path in FOLDER.glob("*/*")} == {*SETS}
