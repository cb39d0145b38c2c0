"""One test for many things of a kind: it fails with all that are wrong."""

from __future__ import annotations

from collections.abc import Iterable


def no_offenders(found: Iterable[str]) -> None:
    """Fail with each of them on a line of its own; pytest itself would show the first one only."""
    listed = sorted(set(found))
    assert not listed, "\n".join(["", *listed])
