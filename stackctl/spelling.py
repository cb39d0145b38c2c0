"""Finds the word that was meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(text: str, known: Iterable[str], cutoff: float = 0.5) -> str | None:
    """Return the one of the ``known`` words that is most like ``text``; None if none is like it.

    ``cutoff`` is how much it must be, from 0 to 1 (:func:`difflib.get_close_matches`).
    """
    return next(iter(difflib.get_close_matches(text, list(known), n=1, cutoff=cutoff)), None)
