"""The page of cases names tests that exist."""

from __future__ import annotations

import re

from tests.docs.pages import ROOT
from tests.offenders import no_offenders

PAGE = ROOT / "docs/reference/cases.md"
NAMED = re.compile(r"`((?:tests/)?[a-z0-9_/]+\.py)(?:::(test_[a-z0-9_]+))?`")


def test_every_row_names_a_test() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("|") and not line.startswith("|-")]
    missing = [line for line in rows if not line.startswith("| Input") and not NAMED.search(line)]
    no_offenders(missing)


def test_every_test_that_is_named_exists() -> None:
    found = NAMED.findall(PAGE.read_text())
    assert len(found) > 60
    missing = []
    for path, name in dict.fromkeys(found):
        file = ROOT / path
        if not file.is_file():
            missing.append(path)
        elif name and not re.search(rf"def {name}\b", file.read_text()):
            missing.append(f"{path}::{name}")
    no_offenders(missing)
