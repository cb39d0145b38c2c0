"""What a stack was once: one entry of its history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

HistoryKind = Literal["change", "found", "foreign"]
"""After a command changed it; as a command found it, unrecorded; as it was before stackctl took it over."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """A state that a stack was in. Its files are read apart from it.

    Attributes:
        number: counted up from 1; a number is never used again. 0 until it is recorded.
        command: the command line that led to it, as it was typed.
        changes: what was done, one line for each operation.
        generation: the proxy's live generation, or None without one.
        lineages: the fingerprint of each certificate its sites had, by lineage.
        file: the Compose file, relative to the stack's directory.
    """

    at: datetime
    command: str
    kind: HistoryKind
    changes: tuple[str, ...]
    generation: str | None
    lineages: Mapping[str, str]
    file: str
    number: int = 0
