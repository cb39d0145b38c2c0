"""docs/architecture.md names every package with all its modules, and no package imports upwards."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import stackctl
from tests.docs.pages import ROOT, Page

SOURCE = Path(stackctl.__file__).parent
PAGE = Page(ROOT / "docs" / "architecture.md")
FLOORS = [row[0] for row in PAGE.table("The floors")]


def test_every_package_is_a_floor() -> None:
    assert sorted(FLOORS) == sorted(path.parent.name for path in SOURCE.glob("*/__init__.py"))


def test_every_module_is_named() -> None:
    _, _, below = PAGE.text.partition("# The floors\n")
    named = dict(zip(FLOORS, (line for line in below.splitlines() if line.startswith("| `")), strict=True))
    for path in SOURCE.glob("*/**/*.py"):
        if path.stem != "__init__":
            package = path.relative_to(SOURCE).parts[0]
            assert f"`{path.stem}`" in named[package], f"{package}/{path.stem}"


@pytest.mark.parametrize("path", sorted(SOURCE.glob("*/**/*.py")), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_go_down(path: Path) -> None:
    own = FLOORS.index(path.relative_to(SOURCE).parts[0])
    for package in _imported(path):
        assert FLOORS.index(package) >= own, f"{path.relative_to(SOURCE)} imports {package}"


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        for name in names:
            top, _, rest = name.partition(".")
            if top == "stackctl" and rest.partition(".")[0] in FLOORS:
                yield rest.partition(".")[0]
