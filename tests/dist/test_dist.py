"""The packages of ``make dist`` are complete, and their check finds missing and unexpected files."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from tests.dist.contents import ASSETS, ROOT, sdist_problems, tracked, wheel_problems

WHEEL = "compose_stackctl-1.2.3-py3-none-any.whl"
INFO = "compose_stackctl-1.2.3.dist-info"
SDIST = "compose_stackctl-1.2.3.tar.gz"


def _wheel(folder: Path, names: set[str]) -> Path:
    made = folder / WHEEL
    with zipfile.ZipFile(made, "w") as archive:
        for name in names:
            archive.writestr(name, "")
    return made


def _complete() -> set[str]:
    assets = {f"stackctl/_assets/{name}" for name in tracked(*ASSETS)}
    files = ("METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE")
    return tracked("stackctl") | assets | {f"{INFO}/{file}" for file in files}


def test_a_complete_wheel_has_no_problems(tmp_path: Path) -> None:
    assert wheel_problems(_wheel(tmp_path, _complete())) == []


@pytest.mark.parametrize(
    "folder",
    [
        "stackctl/py.typed",
        "stackctl/_assets/compose/",
        "stackctl/_assets/nginx/",
        "stackctl/_assets/haproxy/",
        "stackctl/_assets/ui/",
        INFO,
    ],
)
def test_a_wheel_without_a_file_it_needs_is_reported(tmp_path: Path, folder: str) -> None:
    name = min(name for name in _complete() if name.startswith(folder))
    assert wheel_problems(_wheel(tmp_path, _complete() - {name})) == [f"{WHEEL}: {name} is missing"]


@pytest.mark.parametrize("name", ["tests/dist/contents.py", ".venv/bin/python", "nginx/own.conf"])
def test_a_wheel_with_an_unexpected_file_is_reported(tmp_path: Path, name: str) -> None:
    assert wheel_problems(_wheel(tmp_path, _complete() | {name})) == [f"{WHEEL}: {name} must not be in it"]


def test_missing_and_unexpected_files_of_an_sdist_are_reported(tmp_path: Path) -> None:
    made = tmp_path / SDIST
    top = SDIST.removesuffix(".tar.gz")
    names = {*tracked("."), "PKG-INFO", "dist/old.whl"} - {"Makefile", "pyproject.toml"}
    with tarfile.open(made, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(f"{top}/{name}"), io.BytesIO())
    assert sdist_problems(made) == [
        f"{SDIST}: {top}/Makefile is missing",
        f"{SDIST}: {top}/pyproject.toml is missing",
        f"{SDIST}: {top}/dist/old.whl must not be in it",
    ]


@pytest.mark.slow
def test_what_is_published_is_complete(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.dist", str(tmp_path / "dist")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": complete, ") == 2
