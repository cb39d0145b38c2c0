"""Check the stack's directory: permissions, and files that a crash left behind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stackctl.diagnose.check import Check, ok, unknown, wrong
from stackctl.model.layout import SECRET_FOLDERS, STATE

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
class Repository:
    """What git keeps of the files that hold secrets; None where git cannot be asked.

    Attributes:
        path: the work tree.
        tracked: the files that it tracks.
        unignored: what ``git add`` would add.
    """

    path: str
    tracked: tuple[str, ...] | None = None
    unignored: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PermissionFacts:
    """Facts about the stack's directory.

    Attributes:
        writable: whether the current user may write to it.
        modes: files and directories with a wrong mode.
        webroot: the directory that keeps the proxy's workers from the challenges, or None.
        repository: the git repository that the directory is in, or None.
        drafts: paths of unfinished files and directories that a killed process left behind.
        foreign: the files that do not belong to the user of a rootless engine, with ``owner``, the user.
        unfinished: the command that was killed, as the lock names it; ``running`` is one that runs now.
    """

    root: str
    writable: bool = True
    modes: tuple[Mode, ...] = ()
    webroot: Mode | None = None
    drafts: tuple[str, ...] = ()
    repository: Repository | None = None
    foreign: tuple[str, ...] = ()
    owner: str = ""
    unfinished: str | None = None
    running: str | None = None


def judge_tree(facts: PermissionFacts) -> list[Check]:
    """Return the checks of the directory."""
    return [
        _writable(facts),
        _modes(facts),
        *_owners(facts),
        _webroot(facts),
        _repository(facts.repository),
        _leftovers(facts),
    ]


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


def _owners(facts: PermissionFacts) -> Iterator[Check]:
    """Yield a check where it matters: root in a container of a rootless engine is one user of this host."""
    if facts.foreign:
        text = f"{_listed(list(facts.foreign))} belong to others than {facts.owner}, who is root in the containers"
        folders = " ".join(sorted({path.partition("/")[0] for path in facts.foreign}))
        yield wrong("owners", f"{text} of this rootless engine", f"sudo chown -R {facts.owner}: {folders}")


def _webroot(facts: PermissionFacts) -> Check:
    one = facts.webroot
    if one is None:
        return ok("webroot", "the proxy can read the challenge directory")
    return wrong("webroot", f"{one.path} has mode {one.mode:04o}, {one.why}", f"chmod {one.wanted:o} {one.path}")


def _repository(found: Repository | None) -> Check:
    name = "version-control"
    if found is None:
        return ok(name, "the stack is in no git repository")
    if found.tracked is None or found.unignored is None:
        todo = f"run 'git ls-files {STATE} data' as the owner of {found.path}: it should print nothing"
        return unknown(name, f"git cannot be asked which files of {found.path} it tracks", todo)
    if found.tracked:
        todo = (
            f"run 'git rm -r --cached {' '.join(found.tracked[:_SHOWN])}' and commit; if others have a copy of the "
            "repository, replace the keys: stackctl renew --force"
        )
        return wrong(name, f"git tracks files with secrets: {_listed(list(found.tracked))}", todo)
    if found.unignored:
        lines = " ".join(f"{folder}/" for folder in SECRET_FOLDERS)
        todo = f"add to the .gitignore of the stack's directory: {lines}; where there is none, 'stackctl up' writes it"
        return wrong(name, f"'git add' would add files with secrets: {_listed(list(found.unignored))}", todo)
    return ok(name, f"the git repository {found.path} ignores private keys and {STATE}")


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
