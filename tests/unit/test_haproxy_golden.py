"""HAProxy files against their golden sets; ``STACKCTL_UPDATE_GOLDEN=1`` writes them anew.

Read the difference before committing it: tests/integration/test_haproxy_golden.py only shows that HAProxy would start.
"""

from __future__ import annotations

import shutil

import pytest

from tests.unit.build import UPDATE_GOLDEN
from tests.unit.haproxy_goldens import FOLDER, cases, kept, rendered

CASES = cases()


@pytest.mark.parametrize("name", sorted(CASES))
def test_the_files_are_those_of_the_golden_set(name: str) -> None:
    folder, files = FOLDER / name, kept(CASES[name])
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
    assert {path.name for path in FOLDER.iterdir()} == CASES.keys()


def test_versions_differ_in_settings_of_lua() -> None:
    old, new = (rendered(CASES["paths"], version) for version in ("3.0", "3.2"))
    assert [path for path in new if new[path] != old[path]] == ["haproxy.cfg"]
    gone = {*new["haproxy.cfg"].splitlines()} - {*old["haproxy.cfg"].splitlines()}
    assert gone == {b"    tune.lua.bool-sample-conversion normal", b"    lua-load-per-thread edge.lua"}
