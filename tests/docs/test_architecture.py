"""docs/architecture.md lists every package, from the top, and names the packages in each."""

from __future__ import annotations

import re
from pathlib import Path

import stackctl
from tests.docs.pages import ROOT, Page
from tests.offenders import no_offenders
from tests.unit.test_layers import LAYERS

SOURCE = Path(stackctl.__file__).parent
PAGE = Page(ROOT / "docs" / "architecture.md")
ROWS = {row[0]: set(re.findall(r"\w+", row[-1])) for row in PAGE.table("The house")}


def test_it_lists_the_packages_from_the_top() -> None:
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert [name for name in reversed(LAYERS) if name in packages] == list(ROWS)


def test_it_names_the_packages_in_each() -> None:
    inner = [path.parent.relative_to(SOURCE) for path in SOURCE.glob("*/**/__init__.py")]
    no_offenders(str(path) for path in inner if len(path.parts) > 1 and path.name not in ROWS[path.parts[0]])


def test_what_is_below_them_is_named() -> None:
    modules = {path.stem for path in SOURCE.glob("*.py")} - {"__init__", "__main__"}
    _, _, below = PAGE.text.partition("Below them:")
    no_offenders(name for name in modules if f"`{name}`" not in below.partition("\n\n")[0])
