"""Check the stack's directory: permissions, and files that a crash left behind."""

from __future__ import annotations

from dataclasses import dataclass

from stackctl.diagnose.check import Check, ok, wrong
from stackctl.model.layout import STATE

_SHOWN = 3
"""How many paths are listed in one line."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A file or directory with a wrong mode.

    Attributes:
        mode: its permission bits; ``wanted`` are those it should have.
        why: the consequence of the wrong mode.
    """

    path: str
    mode: int
    wanted: int
    why: str


@dataclass(frozen=True, slots=True)
class PermissionFacts:
    """Facts about the stack's directory.

    Attributes:
        writable: whether the current user may write to it.
        modes: files and directories with a wrong mode.
        webroot: the directory that keeps the proxy's workers from the challenges, or None.
        drafts: paths of unfinished files and directories that a killed process left behind.
        unfinished: the command that was killed, as the lock names it; ``running`` is one that runs now.
    """

    root: str
    writable: bool = True
    modes: tuple[Mode, ...] = ()
    webroot: Mode | None = None
    drafts: tuple[str, ...] = ()
    unfinished: str | None = None
    running: str | None = None


def judge_tree(facts: PermissionFacts) -> list[Check]:
    """Return the checks of the directory."""
    return [_writable(facts), _modes(facts), _webroot(facts), _leftovers(facts)]


def _writable(facts: PermissionFacts) -> Check:
    if facts.writable:
        return ok("directory", f"{facts.root} is writable")
    return wrong("directory", f"{facts.root} is not writable", "run stackctl as the owner of the directory, or as root")


def _modes(facts: PermissionFacts) -> Check:
    if not facts.modes:
        return ok("permissions", f"only the owner can read keys and {STATE}")
    text = _listed([f"{one.path} has mode {one.mode:04o}, {one.why}" for one in facts.modes])
    todo = "; ".join(f"chmod {one.wanted:o} {one.path}" for one in facts.modes[:_SHOWN])
    return wrong("permissions", text, todo)


def _webroot(facts: PermissionFacts) -> Check:
    one = facts.webroot
    if one is None:
        return ok("webroot", "the proxy can read the challenge directory")
    return wrong("webroot", f"{one.path} has mode {one.mode:04o}, {one.why}", f"chmod {one.wanted:o} {one.path}")


def _leftovers(facts: PermissionFacts) -> Check:
    if facts.running is not None:
        return ok("leftovers", f"{facts.running} is running now")
    if facts.unfinished is not None:
        text = f"{facts.unfinished} was killed before it finished"
        return wrong("leftovers", text, "run 'stackctl up' to finish the change")
    if facts.drafts:
        todo = f"run 'stackctl up', then delete what is left: rm -r {' '.join(facts.drafts[:_SHOWN])}"
        return wrong("leftovers", f"left behind by a crash: {_listed(list(facts.drafts))}", todo)
    return ok("leftovers", "no files of a crashed command are left")


def _listed(items: list[str]) -> str:
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return "; ".join(items[:_SHOWN]) + more
