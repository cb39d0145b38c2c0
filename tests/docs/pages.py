"""The pages of the documentation, and the parts of them that tests compare with the code."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "docs" / "reference"
UPDATES = os.environ.get("STACKCTL_UPDATE_DOCS") == "1"
"""Whether generated files are written instead of compared."""

_FENCE = re.compile(r"^ *(`{3,})(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^ *\1 *$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\((?P<target>[^)\s]+)\)")
_HEADING = re.compile(r"^#+ (?P<title>.+)$", re.MULTILINE)
_ROW = re.compile(r"^\|(?P<cells>.+)\|\s*$")
_BAR = re.compile(r"(?<!\\)\|")


@dataclass(frozen=True)
class Page:
    """One Markdown file."""

    path: Path

    @property
    def name(self) -> str:
        """Its path in the repository."""
        return str(self.path.relative_to(ROOT))

    @property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    def blocks(self, *kinds: str) -> list[str]:
        """The fenced blocks of these kinds."""
        return [match["text"] for match in _FENCE.finditer(self.text) if match["kind"] in kinds]

    @property
    def prose(self) -> str:
        """The text without its fenced blocks."""
        return _FENCE.sub("", self.text)

    def links(self) -> list[str]:
        """The targets of its links."""
        return [match["target"] for match in _LINK.finditer(self.prose)]

    def anchors(self) -> set[str]:
        """The anchors of its headings, as code forges derive them."""
        titles = [match["title"] for match in _HEADING.finditer(self.prose)]
        return {re.sub(r"[^\w\- ]", "", title.replace("`", "")).strip().lower().replace(" ", "-") for title in titles}

    def table(self, heading: str) -> list[list[str]]:
        """The rows of the first table below ``heading``, its head left out; code marks are taken off."""
        _, found, below = self.text.partition(f"# {heading}\n")
        assert found, f"{self.name} has no heading {heading!r}"
        rows: list[list[str]] = []
        for line in below.splitlines():
            match = _ROW.match(line)
            if match:
                cells = _BAR.split(match["cells"])
                rows.append([cell.strip().replace("`", "").replace("\\|", "|") for cell in cells])
            elif rows:
                break
        return rows[2:]


def pages() -> Iterator[Page]:
    """README, CHANGELOG and everything under docs."""
    yield Page(ROOT / "README.md")
    yield Page(ROOT / "CHANGELOG.md")
    yield from (Page(path) for path in sorted((ROOT / "docs").rglob("*.md")))


def assert_current(path: Path, text: str) -> None:
    """Check that a generated file equals ``text``; with STACKCTL_UPDATE_DOCS=1, write it."""
    if UPDATES:
        path.write_text(text, encoding="utf-8")
    there = path.read_text(encoding="utf-8") if path.exists() else ""
    assert there == text, f"{path.relative_to(ROOT)} is stale: run the tests once with STACKCTL_UPDATE_DOCS=1"
