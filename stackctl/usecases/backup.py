"""``stackctl backup``: writes one archive of everything that cannot be recreated."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypedDict

from stackctl import __version__
from stackctl.adapters.disk.files import host_errors
from stackctl.engine.backup.manifest import FORMAT, Manifest
from stackctl.engine.backup.pack import pack, refuse_existing, written_whole
from stackctl.engine.backup.sealing import Seal
from stackctl.engine.backup.selection import Selection, select, trees
from stackctl.engine.backup.snapshot import Changed, certbot_locked_out, refuse_change, take
from stackctl.engine.backup.unpack import verify
from stackctl.engine.context import Context
from stackctl.errors import HostError, InputError, StackctlError
from stackctl.model.layout import CERTBOT_CONF, CERTS, DNS, DNS_ZONES, FULLCHAIN, LINEAGES, LOCAL_ISSUER
from stackctl.stackfile.document import Document
from stackctl.usecases.converge import open_document
from stackctl.usecases.result import Result

_ATTEMPTS = 5


@dataclass(frozen=True, slots=True)
class BackupOptions:
    """The options of the command.

    Attributes:
        file: the absolute path of the archive, or the stream that it is written to.
        force: whether to replace an existing file.
        seal: how to encrypt the archive, or None.
        wait: seconds to wait until certbot is idle.
    """

    file: Path | BinaryIO
    force: bool = False
    seal: Seal | None = None
    wait: float = 60.0

    def check(self, root: Path) -> None:
        """Check the options before anything is read.

        Raises:
            InputError: the file exists, or is inside the files to back up.
            HostError: the library for encryption is not installed.
        """
        if self.seal is not None:
            self.seal.check()
        if isinstance(self.file, Path):
            refuse_existing(self.file, force=self.force)
            self.refuse_part(root, trees())

    def refuse_part(self, root: Path, paths: Iterable[str]) -> None:
        """Refuse to write the archive to one of ``paths`` of the stack, or below it.

        Raises:
            InputError: the archive would be part of the backup.
        """
        if not isinstance(self.file, Path):
            return
        place = self.file.resolve()
        for path in paths:
            if place.is_relative_to((root / path).resolve()):
                raise InputError(
                    f"the archive cannot be written to {path}, which is part of the backup",
                    hint="write it to another directory",
                )


@dataclass(frozen=True, slots=True)
class BackupReport:
    """The archive that was written, and its content.

    Attributes:
        archive: its path; ``-`` for standard output.
        certificates: the certbot lineages in it.
        stored: the imported certificates in it, those of the local CA, and those that are kept for a while.
        secrets: the files in it with the key of the local CA and with credentials of DNS providers.
        left_out: what the stack also needs, and the archive does not contain.
    """

    archive: str
    size: int
    digest: str
    encrypted: bool
    project: str
    files: int
    certificates: tuple[str, ...]
    stored: tuple[str, ...]
    secrets: tuple[str, ...]
    left_out: tuple[str, ...]


def backup(context: Context, options: BackupOptions) -> Result[BackupReport]:
    """Write the archive and verify it by reading it back; a failure leaves no file behind.

    Raises:
        InputError: the directory has no stack, or :meth:`BackupOptions.check` fails.
        HostError: files cannot be read, or keep changing.
        Locked: certbot is still running.
    """
    options.check(context.directory.root)
    doc = open_document(context)
    project = _project(context, doc)
    selection = select(
        context.directory.files, lambda texts: _values(context, doc, texts), sealed=options.seal is not None
    )
    options.refuse_part(context.directory.root, selection.paths)
    if not isinstance(options.file, Path) or options.seal is not None:
        plain = io.BytesIO()
        manifest, digest = _write(context, options, project, selection, plain)
        content = plain.getvalue() if options.seal is None else options.seal.encrypt(plain.getvalue())
        size = len(content)
        _deliver(options, content)
    else:
        with written_whole(options.file, force=options.force) as file:
            manifest, digest = _write(context, options, project, selection, file)
            size = file.seek(0, io.SEEK_END)
    report = BackupReport(
        archive=str(options.file) if isinstance(options.file, Path) else "-",
        size=size,
        digest=digest,
        encrypted=options.seal is not None,
        project=project,
        files=sum(member.kind == "file" for member in manifest.files.values()),
        **contents(manifest),
        left_out=tuple(selection.left_out),
    )
    return Result("backup", report, acted=True, notes=tuple(selection.notes))


class Contents(TypedDict):
    """What an archive holds of certificates, as the reports of ``backup`` and ``restore`` name it."""

    certificates: tuple[str, ...]
    stored: tuple[str, ...]
    secrets: tuple[str, ...]


def contents(manifest: Manifest) -> Contents:
    """Return the certificates in an archive, and the secrets that only an encrypted one has."""
    files = (path for path, member in manifest.files.items() if member.kind == "file" and path != DNS_ZONES.path)
    secrets = (path for path in files if path == LOCAL_ISSUER.path or path.rpartition("/")[0] == DNS.path)
    return Contents(
        certificates=_below(manifest, (CERTBOT_CONF / LINEAGES).path),
        stored=_below(manifest, CERTS),
        secrets=tuple(secrets),
    )


def _below(manifest: Manifest, folder: str) -> tuple[str, ...]:
    """Return the names of the folders with a certificate below ``folder``."""
    start, end = f"{folder}/", f"/{FULLCHAIN}"
    return tuple(
        path[len(start) : -len(end)] for path in manifest.files if path.startswith(start) and path.endswith(end)
    )


def _values(context: Context, doc: Document, texts: Sequence[str]) -> Sequence[str]:
    """Return ``texts`` with the values of their variables, or as they are written: see :func:`_project`."""
    try:
        return context.orchestrator.resolve(doc.text, texts).texts
    except StackctlError:
        return texts


def _project(context: Context, doc: Document) -> str:
    """Return the name of the Compose project, or a guess: a broken stack can be backed up too."""
    try:
        return context.orchestrator.resolve(doc.text).name
    except StackctlError as error:
        context.report.note(f"Compose cannot resolve the project's name: {error}")
        return str(doc.data(("name",)) or context.directory.root.name)


def _write(
    context: Context, options: BackupOptions, project: str, selection: Selection, into: BinaryIO
) -> tuple[Manifest, str]:
    root = context.directory.root
    changed: Changed | None = None
    with certbot_locked_out(root, options.wait, context.report.note):
        for _ in range(_ATTEMPTS):
            into.seek(0)
            into.truncate()
            try:
                snapshot = take(root, selection.paths)
                manifest = Manifest(FORMAT, __version__, context.now(), project, str(root), snapshot.members)
                pack(manifest, snapshot, into)
                refuse_change(root, selection.paths, snapshot)
            except Changed as error:
                changed = error
                continue
            selection.notes += snapshot.notes
            return verify(into)
    raise HostError(
        "files of the stack change while they are read",
        where=str(changed),
        hint="retry when no other process is writing",
    )


def _deliver(options: BackupOptions, content: bytes) -> None:
    if isinstance(options.file, Path):
        with written_whole(options.file, force=options.force) as file:
            file.write(content)
    else:
        with host_errors():
            try:
                options.file.write(content)
                options.file.flush()
            except BrokenPipeError as error:
                raise HostError(
                    "standard output was closed before the whole archive was written",
                    hint="check the command that reads from the pipe",
                ) from error
