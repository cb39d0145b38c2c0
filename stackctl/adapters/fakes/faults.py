"""The faults that a test injects into the fake engine."""

from __future__ import annotations

from dataclasses import dataclass, field


class Killed(BaseException):
    """The process is killed here: as with SIGKILL, no handler of ``Exception`` catches it."""


@dataclass
class Faults:
    """The injected faults: services by name, names of sites, or one fault for all.

    Attributes:
        up_impossible: why the engine can start no container at all.
    """

    away: bool = False
    up_impossible: str | None = None
    up_fails: set[str] = field(default_factory=set)
    exits: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    reload_fails: bool = False
    drops_udp: bool = False
    no_python: bool = False
    issue: dict[str, str] = field(default_factory=dict)
    """Names that the CA refuses, with the ACME problem type of its response."""

    receivers: dict[str, str] = field(default_factory=dict)
    """Receivers of alerts that take no message, by their labels, with the reason."""

    records: dict[str, str] = field(default_factory=dict)
    """Names whose DNS record cannot be written, with the reason."""
