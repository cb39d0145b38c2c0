"""How often a proxy resolves the names of services."""

from __future__ import annotations

from stackctl.model.stack import Stack


def resolver_seconds(stack: Stack) -> int:
    """Return how long an address counts, in seconds: longer with more sites, as Docker's resolver is slow."""
    return max(2, len(stack.sites) // 50)
