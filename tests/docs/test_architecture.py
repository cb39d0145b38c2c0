"""docs/architecture.md lists every package, from the top, and names all its modules."""

from __future__ import annotations

from pathlib import Path

import stackctl
from tests.docs.pages import ROOT, Page
from tests.offenders import no_offenders
from tests.unit.test_layers import LAYERS

SOURCE = Path(stackctl.__file__).parent
PAGE = Page(ROOT / "docs" / "architecture.md")
PACKAGES = [row[0] for row in PAGE.table("The floors")]


def test_it_lists_the_packages_from_the_top() -> None:
    packages = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    expected = [name for name in reversed(LAYERS) if name in packages]
    assert expected == PACKAGES


def test_it_names_every_module() -> None:
    _, _, below = PAGE.text.partition("# The floors\n")
    rows = dict(zip(PACKAGES, (line for line in below.splitlines() if line.startswith("| `")), strict=True))
    missing: list[str] = []
    for path in sorted(SOURCE.glob("*/**/*.py")):
        package = path.relative_to(SOURCE).parts[0]
        if path.stem != "__init__" and f"`{path.stem}`" not in rows[package]:
            missing.append(str(path.relative_to(SOURCE)))
    no_offenders(missing)
