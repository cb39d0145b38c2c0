"""The floors: each imports only lower ones, and only some may touch the world."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import stackctl

ROOT = Path(stackctl.__file__).resolve().parent
ARCHITECTURE = ROOT.parent / "docs" / "architecture.md"

FLOORS = ("errors", "model", "stackfile", "certs", "render", "plan", "diagnose", "adopt", "engine", "usecases", "cli")
"""From the bottom; 'assets' stands beside 'errors', and '__main__' on top of all."""

LEVEL = {"assets": 0, "": len(FLOORS)} | {name: level for level, name in enumerate(FLOORS)}

INSIDE_CERTBOT = {f"certs/issuer/{path.name}" for path in (ROOT / "certs" / "issuer").glob("*.py")}
"""They run in the certbot container, which has no stackctl, and do run commands there."""

WORLD = {"docker", "subprocess", "socket", "ssl", "urllib.request", "http.client", "requests", "asyncio", "psutil"}
STATE = {"os", "time", "shutil", "tempfile", "pathlib", "random", "secrets", "signal", "sys", "threading", "glob", "io"}
PURE = ("model", "plan", "render", "diagnose", "adopt")

MODULES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def floor_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else path.stem.strip("_") if path.stem in {"errors", "assets"} else ""


def imports(path: Path) -> Iterator[str]:
    """Full names of everything imported anywhere in a module, inside functions too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{name_of(path)}: relative imports hide the floor"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def touches(path: Path, modules: set[str]) -> set[str]:
    return {
        name for name in imports(path) if any(name == module or name.startswith(f"{module}.") for module in modules)
    }


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_its_own_floor_and_lower_ones(path: Path) -> None:
    own = LEVEL[floor_of(path)]
    for name in imports(path):
        if name.startswith("stackctl."):
            below = name.split(".")[1]
            assert LEVEL.get(below, -1) <= own, f"{name_of(path)} imports {name}, which is above it"


def test_every_package_is_a_floor() -> None:
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")}
    assert packages == set(FLOORS) - {"errors"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_engine_reaches_docker_the_network_and_other_processes(path: Path) -> None:
    if floor_of(path) != "engine" and name_of(path) not in INSIDE_CERTBOT:
        assert touches(path, WORLD) == set()


@pytest.mark.parametrize("path", [path for path in MODULES if floor_of(path) in PURE], ids=name_of)
def test_a_pure_floor_asks_neither_the_disk_nor_the_clock_nor_chance(path: Path) -> None:
    assert touches(path, STATE) == set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            assert node.attr not in {"now", "utcnow", "today"} or not _is_datetime(node.value), name_of(path)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in {"open", "print", "input", "exec", "eval"}, name_of(path)


def _is_datetime(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"datetime", "date"}


@pytest.mark.parametrize(
    "path", [path for path in MODULES if floor_of(path) == "certs" and name_of(path) not in INSIDE_CERTBOT], ids=name_of
)
def test_certificates_are_judged_without_disk_and_clock(path: Path) -> None:
    assert touches(path, STATE) == set()


@pytest.mark.parametrize("name", sorted(INSIDE_CERTBOT))
def test_what_runs_inside_certbot_needs_nothing_of_stackctl_but_its_own_parts(name: str) -> None:
    for imported in imports(ROOT / name):
        if imported.startswith("stackctl"):
            assert imported.startswith("stackctl.certs.issuer"), imported


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_the_cli_prints_prompts_and_exits(path: Path) -> None:
    if floor_of(path) in {"cli", ""} or name_of(path) in INSIDE_CERTBOT:
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"print", "input", "sys.exit", "exit", "quit", "os._exit"}, (
                f"{name_of(path)}: {called}"
            )
    assert touches(path, {"typer", "rich", "click"}) == set()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) < 300


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_what_it_is(path: Path) -> None:
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))


def test_the_architecture_page_names_every_package() -> None:
    text = ARCHITECTURE.read_text(encoding="utf-8")
    for package in FLOORS:
        assert re.search(rf"`{package}`", text), f"docs/architecture.md does not name {package}"
