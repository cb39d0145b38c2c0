"""An entry of a stack's history: an earlier state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

HistoryKind = Literal["change", "found", "failed", "foreign"]
"""After a command changed it; as a command found it; after a deploy failed; before stackctl took it over."""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """An earlier state of a stack. Its files are read separately.

    Attributes:
        number: counts up from 1 and is never reused; 0 until the entry is recorded.
        command: the command line that led to it, as typed.
        changes: what the command did, one line for each operation.
        generation: the proxy's live generation, or None without one.
        lineages: the fingerprint of each certificate of its sites, by lineage.
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
