"""``stackctl restore``: restores a stack from its backup, with the same certificates."""

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
from stackctl.engine.backup.sealing import Keys, decrypt, is_sealed, refuse_large
from stackctl.engine.backup.unpack import verify
from stackctl.engine.context import Context
from stackctl.errors import EngineError, InputError, StackctlError
from stackctl.usecases.backup import contents
from stackctl.usecases.converge import load_current
from stackctl.usecases.renamed import name_taken
from stackctl.usecases.result import Result
from stackctl.usecases.up_down import up


@dataclass(frozen=True, slots=True)
class Archive:
    """A backup archive that was verified."""

    path: Path
    manifest: Manifest
    digest: str
    decrypted: bytes | None = None

    @property
    def encrypted(self) -> bool:
        """Return whether the file is encrypted with age."""
        return self.decrypted is not None

    def open(self) -> BinaryIO:
        """Open the decrypted archive for reading."""
        return self.path.open("rb") if self.decrypted is None else io.BytesIO(self.decrypted)


@dataclass(frozen=True, slots=True)
class RestoreOptions:
    """The options of the command.

    Attributes:
        force: whether to move existing files aside.
        start: whether to start the stack.
        issue: whether to issue certificates that the backup does not contain.
    """

    force: bool = False
    start: bool = True
    issue: bool = True


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """The archive that was restored, and the files that were moved aside.

    Attributes:
        made: when the backup was written.
        certificates: the certbot lineages in it.
        stored: the imported certificates in it, those of the local CA, and those that are kept for a while.
        secrets: the files in it with the key of the local CA and with credentials of DNS providers.
        replaced: the files that were, or would be, moved aside.
        aside: the directory that they were moved to.
    """

    archive: str
    digest: str
    encrypted: bool
    made: datetime
    project: str
    files: int
    certificates: tuple[str, ...]
    stored: tuple[str, ...]
    secrets: tuple[str, ...]
    replaced: tuple[str, ...]
    aside: str | None = None


def open_archive(path: Path, keys: Keys) -> Archive:
    """Decrypt a backup if it is encrypted, and verify all of it; nothing is written.

    Raises:
        InputError: the file is not a backup, truncated, altered, of a later format, or encrypted for other keys.
    """
    if not path.is_file():  # a pipe would be waited for, and cannot be read twice
        raise InputError(f"{path} is not a file" if path.exists() else f"file {path} does not exist", where="FILE")
    with host_errors(), path.open("rb") as file:
        try:
            if not is_sealed(file.read(64)):
                return Archive(path, *verify(file))
            refuse_large(os.fstat(file.fileno()).st_size)
            file.seek(0)
            decrypted = decrypt(file.read(), keys)
            return Archive(path, *verify(io.BytesIO(decrypted)), decrypted)
        except InputError as error:
            raise error.at(str(path)) from error


def refuse_occupied(root: Path, archive: Archive, options: RestoreOptions) -> None:
    """Refuse to restore over existing files without ``force``.

    Raises:
        InputError: the directory is not empty.
    """
    placing = Placing(root, archive.manifest, archive.digest)
    if options.force or placing.is_begun or placing.is_done:
        return
    if placing.half_done:
        raise InputError(
            f"the restore of another archive into {root} was interrupted",
            hint="finish it by restoring that archive again; 'stackctl restore --force' starts over with this one",
        )
    there = placing.in_the_way()
    if there:
        raise InputError(
            f"{root} is not empty: {', '.join(there[:3])}{' …' if len(there) > 3 else ''} would be replaced",
            hint="restore into an empty directory; 'stackctl restore --force' moves existing files aside;"
            " start a stack that is already restored with 'stackctl up'",
        )


def restore(
    context: Context, archive: Archive, options: RestoreOptions, reopen: Callable[[], Context], *, dry_run: bool = False
) -> Result[RestoreReport]:
    """Put the archive's files in place, and start the stack.

    ``reopen`` opens the directory again once it has its Compose files.

    Raises:
        InputError: :func:`refuse_occupied` refuses.
        HostError: the disk is full, or containers of another directory use the project's name.
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
        context.report.note("all files are restored, but the stack is not started: run 'stackctl up'")
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
        **contents(manifest),
        replaced=in_the_way,
    )


def _place(context: Context, archive: Archive, placing: Placing) -> tuple[str | None, list[str]]:
    """Put the files in place; return the directory of the files moved aside, and notes for the user."""
    notes: list[str] = []
    if not placing.is_begun:
        with host_errors(), archive.open() as file:
            foreign = placing.stage(file, context.now())
        if foreign:
            notes.append(f"{foreign} files and directories of other users now belong to you, because you are not root")
    # Running containers keep the moved or deleted directories mounted, and do not see the restored ones.
    try:
        notes += _stop(context, archive)
    except EngineError:
        if placing.makes_room:
            raise
    aside = placing.move()
    if aside:
        notes.append(f"the previous files are in {aside}: delete it when you no longer need them")
    return aside, notes


def _stop(context: Context, archive: Archive) -> list[str]:
    """Remove the containers started from this directory, even if its Compose file is broken."""
    project = context.directory.files.project
    # Without a name in the file, Compose names a project after its directory.
    projects = {archive.manifest.project, re.sub(r"[^a-z0-9_-]", "", project.name.lower()).lstrip("_-")} - {""}
    with suppress(StackctlError):
        projects.add(context.orchestrator.resolve(context.directory.stackfile() or "").name)
    own = [
        container
        for name in sorted(projects)
        for container in context.orchestrator.containers(name)
        if _is_own(container.directory, project)
    ]
    if own:
        context.orchestrator.remove([container.id for container in own])
    services = sorted({container.service for container in own})
    return [f"stopped the services of this directory: {', '.join(services)}"] if services else []


def _refuse_foreign_containers(context: Context, archive: Archive) -> None:
    """Refuse a project name that another directory uses: each stack would replace the other's containers."""
    project = context.directory.files.project
    name = load_current(context).project.name
    for container in context.orchestrator.containers(name):
        if not _is_own(container.directory, project):
            raise name_taken(name, container.directory)
    if name != archive.manifest.project:
        context.report.note(
            f"the project's name changed from {archive.manifest.project} to {name}, so it uses new volumes:"
            f" set 'name: {archive.manifest.project}' in the Compose file to use the old ones"
        )


def _is_own(directory: str, project: Path) -> bool:
    return not directory or os.path.realpath(directory) == os.path.realpath(project)
