"""What a test breaks in the fake engine."""

from __future__ import annotations

from dataclasses import dataclass, field


class Killed(BaseException):
    """The process ended here: as with SIGKILL, no handler of ``Exception`` sees it."""


@dataclass
class Faults:
    """What is broken: services by name, names of sites, or one thing for all."""

    away: bool = False
    up_fails: set[str] = field(default_factory=set)
    exits: set[str] = field(default_factory=set)
    silent: set[str] = field(default_factory=set)
    reload_fails: bool = False
    no_python: bool = False
    issue: dict[str, str] = field(default_factory=dict)
    """Names the CA refuses, and the ACME problem type it says so with."""
