"""The stack's directory: who may read and write what, and what a crash left behind."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.diagnose.check import Check, ok, wrong
from stackctl.model.layout import STATE

_SHOWN = 3
"""Paths named in one line."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A file or folder whose mode, or whose closed door, is not as it must be.

    Attributes:
        mode: its permission bits; ``wanted`` are those it should have.
        why: what follows from it.
    """

    path: str
    mode: int
    wanted: int
    why: str


@dataclass(frozen=True, slots=True)
class PermissionFacts:
    """What was found in the stack's directory.

    Attributes:
        writable: whether whoever runs this may write to it.
        modes: what has a wrong mode.
        webroot: how the challenge's directory is closed to the proxy's workers, or None.
        drafts: paths of files and folders that a process which ended early left behind.
        unfinished: the command that was killed, as the lock names it; ``at_work`` is one that runs.
    """

    root: str
    writable: bool = True
    modes: tuple[Mode, ...] = ()
    webroot: Mode | None = None
    drafts: tuple[str, ...] = ()
    unfinished: str | None = None
    at_work: str | None = None


def judge_tree(facts: PermissionFacts) -> list[Check]:
    """The directory's checks."""
    return [_writable(facts), _modes(facts), _webroot(facts), _leftovers(facts)]


def _writable(facts: PermissionFacts) -> Check:
    if facts.writable:
        return ok("directory", f"{facts.root} can be written")
    return wrong("directory", f"{facts.root} cannot be written", "run stackctl as the user who made the stack, or root")


def _modes(facts: PermissionFacts) -> Check:
    if not facts.modes:
        return ok("permissions", f"keys and {STATE} are their owner's alone")
    told = _listed([f"{one.path} has mode {one.mode:04o}, {one.why}" for one in facts.modes])
    todo = "; ".join(f"chmod {one.wanted:o} {one.path}" for one in facts.modes[:_SHOWN])
    return wrong("permissions", told, todo)


def _webroot(facts: PermissionFacts) -> Check:
    one = facts.webroot
    if one is None:
        return ok("webroot", "the proxy may read the challenge's directory")
    return wrong("webroot", f"{one.path} has mode {one.mode:04o}, {one.why}", f"chmod {one.wanted:o} {one.path}")


def _leftovers(facts: PermissionFacts) -> Check:
    if facts.at_work is not None:
        return ok("leftovers", f"{facts.at_work} is at work now")
    if facts.unfinished is not None:
        told = f"{facts.unfinished} ended before it was done"
        return wrong("leftovers", told, "go on from what is there: 'stackctl up'")
    if facts.drafts:
        todo = f"run 'stackctl up', then delete what is still there: rm -r {' '.join(facts.drafts[:_SHOWN])}"
        return wrong("leftovers", f"left behind by a crash: {_listed(list(facts.drafts))}", todo)
    return ok("leftovers", "no crash left anything behind")


def _listed(told: list[str]) -> str:
    more = f" and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
    return "; ".join(told[:_SHOWN]) + more
