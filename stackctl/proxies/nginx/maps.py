"""nginx: ``map`` and ``geo`` as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Map:
    """A ``map``: what is in it is written as it is, so all of it is parameters of nginx; rows are tried in order.

    Attributes:
        source: what is compared; empty for the client's address, in a ``geo``.
        include: a pattern of files with more rows; empty for none.
        kind: ``map``, or ``geo`` with networks as keys, which replaces no variables in its values, or
            ``split_clients``, which has no default.
    """

    source: str
    name: str
    rows: tuple[tuple[str, str], ...] = ()
    default: str | None = '""'
    kind: str = "map"
    include: str = ""
