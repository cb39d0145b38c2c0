"""The reading of sources finds what it is there to find."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tests.unit.modules import Source, circles


def source(root: Path, modules: Mapping[str, str]) -> Source:
    """A package ``house`` of these modules, by their paths."""
    for path, text in modules.items():
        file = root / "house" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for folder in {file.parent for file in (root / "house").rglob("*.py")} | {root / "house"}:
        (folder / "__init__.py").touch()
    return Source(root / "house")


def test_a_circle_is_found_wherever_its_imports_are(tmp_path: Path) -> None:
    made = source(
        tmp_path,
        {
            "one.py": "import house.two\n",
            "two.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.room.three import X\n",
            "room/three.py": "def late() -> None:\n    from house import one\n",
            "room/apart.py": "from house import two\nimport housekeeping\n",
        },
    )
    assert made.graph == {
        "": set(),
        "one": {"two"},
        "two": {"room.three"},
        "room": set(),
        "room.three": {"one"},
        "room.apart": {"two"},
    }
    assert circles(made.graph) == [["one", "room.three", "two"]]


def test_a_circle_of_packages_is_found_where_no_module_is_in_one(tmp_path: Path) -> None:
    made = source(
        tmp_path,
        {
            "up/a.py": "from house.down import b\n",
            "up/c.py": "",
            "down/b.py": "",
            "down/d.py": "from house.up.c import NAME\n",
        },
    )
    assert circles(made.graph) == []
    assert made.between("") == {"up": {"down"}, "down": {"up"}}
    assert circles(made.between("")) == [["down", "up"]]


def test_a_name_defined_in_a_package_is_an_import_of_that_package(tmp_path: Path) -> None:
    made = source(tmp_path, {"room/__init__.py": "from house.room.a import A\nB = A\n", "room/a.py": ""})
    assert circles(made.graph) == []
    (tmp_path / "house/room/a.py").write_text("from house.room import B\n")
    assert circles(Source(tmp_path / "house").graph) == [["room", "room.a"]]


def test_circles_are_reported_apart() -> None:
    graph = {"a": {"b"}, "b": {"a", "c"}, "c": {"d"}, "d": {"c"}, "e": {"a"}}
    assert circles(graph) == [["a", "b"], ["c", "d"]]


def test_libraries_are_found_by_each_way_to_import_them(tmp_path: Path) -> None:
    made = source(
        tmp_path,
        {"a.py": "import os.path\nfrom urllib import request, parse\nfrom urllib.parse import quote\nimport osmium\n"},
    )
    assert made.modules["a"].imports_any(["os", "urllib.request"]) == ["os.path", "urllib.request"]


def test_functions_are_measured_without_their_decorators(tmp_path: Path) -> None:
    made = source(tmp_path, {"a.py": "class A:\n    @property\n    def x(self) -> int:\n        return 1\n"})
    assert list(made.modules["a"].functions()) == [("x", 2)]
