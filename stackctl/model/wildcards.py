"""Names of sites that stand for all names one label below another: ``*.example.com``."""

from __future__ import annotations

from stackctl.model.values import Domain

_WILD = "*."


def is_wildcard(name: str) -> bool:
    """Return whether ``name`` stands for all names one label below another."""
    return name.startswith(_WILD)


def wildcard_of(name: str) -> Domain:
    """Return the wildcard that ``name`` is under, by RFC 6125: it stands for exactly one label."""
    return Domain(f"{_WILD}{name.partition('.')[2]}")


def sample(name: Domain) -> Domain:
    """Return a name that a client could ask for: one below a wildcard, else ``name`` itself."""
    return Domain(f"stackctl-check.{name.removeprefix(_WILD)}") if is_wildcard(name) else name
