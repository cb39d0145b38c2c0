"""The fixtures of the end-to-end tests, for those that run alone on an engine."""

from __future__ import annotations

from tests.e2e.conftest import addresses, lab, new_stack, stack

__all__ = ["addresses", "lab", "new_stack", "stack"]
