"""Lines for a person, on whatever console."""

from __future__ import annotations

from rich.console import Console


def plain(console: Console, text: str) -> None:
    """A line as it is: no markup, no colour, no wrapping."""
    console.print(text, markup=False, highlight=False, soft_wrap=True)
