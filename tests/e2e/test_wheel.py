"""What is published: a wheel and an sdist that hold all they need, and work where no checkout is."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.e2e.helpers import BIN, ROOT, Stack

pytestmark = pytest.mark.e2e

RENDER = "from stackctl.stackfile.services import proxy_block; from stackctl.model.values import publish; "
RENDER += "print(proxy_block('nginx', 'nginx:1.30', publish('80'), publish('443')))"


def _python(folder: Path, *requirements: str | Path) -> Path:
    """The interpreter of a new virtual environment that holds ``requirements``."""
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *requirements)
    return python


def _run(*command: str | Path, cwd: Path | None = None) -> str:
    # Without what pytest was started with: a checkout on PYTHONPATH would hide what is missing.
    environment = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    environment["PATH"] = f"{environment['PATH']}:{BIN}"
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd or Path("/"),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist."""
    folder = tmp_path_factory.mktemp("dist")
    builder = _python(folder / "builder", "hatchling>=1.25")
    _run(builder, "-m", "hatchling", "build", "--directory", folder, "--target", "wheel", "--target", "sdist", cwd=ROOT)
    # And once more from the sdist alone, as a distribution does it.
    (sdist,) = folder.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (source,) = (folder / "unpacked").iterdir()
    _run(builder, "-m", "hatchling", "build", "--directory", folder / "again", "--target", "wheel", cwd=source)
    return folder


def _names(wheel: Path) -> set[str]:
    return set(zipfile.ZipFile(wheel).namelist())


def _assets() -> set[str]:
    """Every template and image file of the checkout, by its path from the root."""
    return {
        str(path.relative_to(ROOT))
        for folder in ("compose", "nginx")
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }


def test_templates_are_in_the_wheel_and_in_the_sdist(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    names = _names(wheel)
    assert {f"stackctl/_assets/{path}" for path in _assets()} <= names
    assert "stackctl/py.typed" in names
    assert not [name for name in names if name.startswith(("tests/", "compose/", "nginx/"))]
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        packed = {name.partition("/")[2] for name in archive.getnames()}
    assert _assets() | {"pyproject.toml", "LICENSE", "README.md", "Makefile"} <= packed
    (again,) = (built / "again").glob("*.whl")
    assert _names(again) == names


def test_the_installed_wheel_renders_the_same_stack(built: Path, stack: Stack) -> None:
    (wheel,) = built.glob("*.whl")
    python = _python(built / "clean", wheel)
    assert "site-packages" in _run(python, "-c", "import stackctl; print(stackctl.__file__)")
    assert _run(python, "-c", RENDER) == _run(sys.executable, "-c", RENDER)
    command = python.parent / "stackctl"
    assert _run(command, "--version").startswith("stackctl ")

    planned = _run(command, *stack.init_arguments("--dry-run"), cwd=stack.directory)
    assert planned == stack.ok(*stack.init_arguments("--dry-run")).stdout
    assert "nginx.conf" in planned
    _run(command, *stack.init_arguments(), cwd=stack.directory)
    assert stack.closed("stranger.example.com")
    # The checkout finds the stack as it would have made it.
    before = stack.state()
    stack.init()
    assert stack.state() == before
