"""``stackctl restore``: a stack from its backup, serving the same certificates."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from stackctl.adapters.disk.files import host_errors
from stackctl.engine.backup.manifest import Manifest
from stackctl.engine.backup.place import Placing
from stackctl.engine.backup.sealing import Keys, decrypt, is_sealed
from stackctl.engine.backup.unpack import verify
from stackctl.engine.context import Context
from stackctl.errors import EngineError, HostError, InputError, StackctlError
from stackctl.usecases.backup import lineages
from stackctl.usecases.converge import load_current
from stackctl.usecases.result import Result
from stackctl.usecases.up_down import up


@dataclass(frozen=True, slots=True)
class Archive:
    """A backup that was read to its end, and is whole."""

    path: Path
    manifest: Manifest
    digest: str
    decrypted: bytes | None = None

    @property
    def encrypted(self) -> bool:
        """Whether the file is an age file."""
        return self.decrypted is not None

    def open(self) -> BinaryIO:
        """The archive itself, to be read once more."""
        return self.path.open("rb") if self.decrypted is None else io.BytesIO(self.decrypted)


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """What a person asked for.

    Attributes:
        force: whether a stack that is there makes room.
        start: whether the stack is started.
        issue: whether certificates that the backup does not hold are asked for.
    """

    force: bool = False
    start: bool = True
    issue: bool = True


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """The archive that was restored, and what made room for it.

    Attributes:
        made: when the backup was written.
        certificates: certbot's lineages in it.
        replaced: what was, or would be, put aside.
        aside: the folder it is in now.
    """

    archive: str
    digest: str
    encrypted: bool
    made: datetime
    project: str
    files: int
    certificates: tuple[str, ...]
    replaced: tuple[str, ...]
    aside: str | None = None


def open_archive(path: Path, keys: Keys) -> Archive:
    """Decrypt a backup where it must be, and verify all of it; nothing is written.

    Raises:
        InputError: it is no backup, truncated, altered, of a later format, or opened by other keys.
    """
    with host_errors(), path.open("rb") as file:
        try:
            if not is_sealed(file.read(64)):
                return Archive(path, *verify(file))
            file.seek(0)
            decrypted = decrypt(file.read(), keys)
            return Archive(path, *verify(io.BytesIO(decrypted)), decrypted)
        except InputError as error:
            raise error.at(str(path)) from error


def refuse_occupied(root: Path, archive: Archive, options: RestoreOptions) -> None:
    """Refuse to restore over a stack that nobody said may be replaced.

    Raises:
        InputError: with what is there.
    """
    placing = Placing(root, archive.manifest, archive.digest)
    if options.force or placing.is_begun or placing.is_done:
        return
    if placing.half_done:
        raise InputError(
            f"the restore of another archive into {root} was interrupted",
            hint="restore that one to its end; 'stackctl restore --force' begins anew with this one",
        )
    there = placing.in_the_way()
    if there:
        raise InputError(
            f"{root} is not empty: {', '.join(there[:3])}{' …' if len(there) > 3 else ''} would be replaced",
            hint="restore into an empty directory; 'stackctl restore --force' puts aside what is there;"
            " what an earlier restore has put there is started by 'stackctl up'",
        )


def restore(
    context: Context, archive: Archive, options: RestoreOptions, reopen: Callable[[], Context], *, dry_run: bool = False
) -> Result[RestoreReport]:
    """Put the archive's files in place, and start the stack.

    ``reopen`` gives the host once more, when the directory has its Compose files.

    Raises:
        InputError: :func:`refuse_occupied` says so.
        HostError: the disk is full, or containers of another directory have the project's name.
    """
    root = context.directory.root
    if not dry_run:
        refuse_occupied(root, archive, options)
    placing = Placing(root, archive.manifest, archive.digest)
    done = placing.is_done
    in_the_way = () if done or placing.is_begun else placing.in_the_way()
    report = _report(archive, tuple(in_the_way))
    if dry_run:
        return Result("restore", report, dry_run=True)
    if done:
        placing.clean()
    aside, notes = (None, []) if done else _place(context, archive, placing)
    report = replace(report, aside=aside)
    for note in notes:
        context.report.note(note)
    if not options.start:
        return Result("restore", report, acted=not done)
    try:
        fresh = reopen()
        _refuse_foreign_containers(fresh, archive)
        result = up(fresh, issue=options.issue)
    except StackctlError:
        context.report.note("all files are in place; what is left is to start the stack: 'stackctl up'")
        raise
    return replace(result, command="restore", acted=not done).carrying(report)


def _report(archive: Archive, in_the_way: tuple[str, ...]) -> RestoreReport:
    manifest = archive.manifest
    return RestoreReport(
        archive=str(archive.path),
        digest=archive.digest,
        encrypted=archive.encrypted,
        made=manifest.at,
        project=manifest.project,
        files=sum(member.kind == "file" for member in manifest.files.values()),
        certificates=lineages(manifest),
        replaced=in_the_way,
    )


def _place(context: Context, archive: Archive, placing: Placing) -> tuple[str | None, list[str]]:
    """Put the files in place; returns the folder of what was there, and what the user should know."""
    notes: list[str] = []
    if not placing.is_begun:
        with host_errors(), archive.open() as file:
            foreign = placing.stage(file, context.now())
        if foreign:
            notes.append(
                f"{foreign} files and folders belonged to other users; they are yours now, as you are not root"
            )
    # Their mounts are of what is put aside, or was deleted, and show none of what takes its place.
    try:
        notes += _stop(context, archive)
    except EngineError:
        if placing.makes_room:
            raise
    aside = placing.move()
    if aside:
        notes.append(f"what was there is in {aside}: remove it when you miss nothing")
    return aside, notes


def _stop(context: Context, archive: Archive) -> list[str]:
    """Stop what runs from this directory, whatever state its Compose file is in."""
    root = context.directory.root
    # Without a name in the file, Compose calls a project after its directory.
    projects = {archive.manifest.project, re.sub(r"[^a-z0-9_-]", "", root.name.lower()).lstrip("_-")} - {""}
    with suppress(StackctlError):
        projects.add(context.orchestrator.resolve(context.directory.stackfile() or "").name)
    own = [
        container
        for project in sorted(projects)
        for container in context.orchestrator.containers(project)
        if _is_own(container.directory, root)
    ]
    if own:
        context.orchestrator.remove([container.id for container in own])
    names = sorted({container.service for container in own})
    return [f"stopped what ran here: {', '.join(names)}"] if names else []


def _refuse_foreign_containers(context: Context, archive: Archive) -> None:
    """Two directories with one project name would take each other's containers."""
    root = context.directory.root
    name = load_current(context).project.name
    for container in context.orchestrator.containers(name):
        if not _is_own(container.directory, root):
            raise HostError(
                f"a stack of the project {name} is there already, from {container.directory}",
                hint=f"stop it there ('stackctl down -C {container.directory}'),"
                " or give the one in this directory a 'name:' of its own",
            )
    if name != archive.manifest.project:
        context.report.note(
            f"the project is called {name} here, and was called {archive.manifest.project}: its volumes are other ones"
            f" ('name: {archive.manifest.project}' in the Compose file brings the old ones back)"
        )


def _is_own(directory: str, root: Path) -> bool:
    return not directory or os.path.realpath(directory) == os.path.realpath(root)
