"""Write an archive: a tar.gz that any tar can open, with the manifest first and its digest last."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from stackctl.adapters.disk.files import draft_path, host_errors, open_new, sync_directory
from stackctl.engine.backup.manifest import DIGEST_NAME, NAME, PREFIX, Manifest, Member, digest_of
from stackctl.engine.backup.snapshot import Changed, Snapshot
from stackctl.errors import InputError

KINDS = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}
HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
"""The first bytes of every archive: gzip without a name and a time, which no checksum would cover."""


def pack(manifest: Manifest, snapshot: Snapshot, into: BinaryIO) -> str:
    """Write the archive, and return its digest.

    Raises:
        Changed: a file no longer matches the manifest.
    """
    encoded = manifest.encoded()
    digest = digest_of(encoded)
    made = int(manifest.at.timestamp())
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=into, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        tar.addfile(own_header(NAME, len(encoded), made), io.BytesIO(encoded))
        for path, member in manifest.files.items():
            if member.kind == "file":
                _add_file(tar, path, member, snapshot.sources[path])
            else:
                tar.addfile(header(path, member))
        line = f"{digest}  {NAME}\n".encode()
        tar.addfile(own_header(DIGEST_NAME, len(line), made), io.BytesIO(line))
    return digest


def header(path: str, member: Member) -> tarfile.TarInfo:
    """Return the tar header of a member."""
    info = tarfile.TarInfo(PREFIX + path)
    info.type = KINDS[member.kind]
    info.mode, info.uid, info.gid, info.mtime = member.permissions, member.uid, member.gid, member.mtime
    info.size, info.linkname = member.size, member.target
    return info


def own_header(name: str, size: int, mtime: int) -> tarfile.TarInfo:
    """Return the tar header of the manifest or of its digest."""
    info = tarfile.TarInfo(name)
    info.mode, info.size, info.mtime = 0o600, size, mtime
    return info


class _Hashing(io.RawIOBase):
    """Hashes a file while it is read."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk


def _add_file(tar: tarfile.TarFile, path: str, member: Member, source: Path) -> None:
    try:
        with source.open("rb") as file:
            hashing = _Hashing(file)
            tar.addfile(header(path, member), hashing)
            longer = file.read(1)
    except (FileNotFoundError, tarfile.TarError, OSError) as error:
        if isinstance(error, FileNotFoundError | tarfile.TarError) or "unexpected end of data" in str(error):
            raise Changed(path) from error
        raise
    if longer or hashing.digest.hexdigest() != member.sha256:
        raise Changed(path)


@contextmanager
def written_whole(path: Path, *, force: bool) -> Iterator[BinaryIO]:
    """Yield a file that appears at ``path`` only when it is complete on disk, readable only by its owner.

    Raises:
        InputError: ``path`` exists already, without ``force``.
        HostError: the disk is full, or not writable.
    """
    refuse_existing(path, force=force)
    draft = draft_path(path)
    with host_errors():
        descriptor = open_new(draft)
        try:
            with os.fdopen(descriptor, "w+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            refuse_existing(path, force=force)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)


def refuse_existing(path: Path, *, force: bool) -> None:
    """Refuse to replace an existing file without ``force``, and a path that cannot be a file.

    Raises:
        InputError: with the reason.
    """
    with host_errors():
        is_directory, is_other = path.is_dir(), path.exists() and not path.is_file()
        has_parent = path.parent.is_dir()
    if is_directory:
        raise InputError(f"{path} is a directory", hint=f"name a file in it: {path / 'backup.tar.gz'}")
    if is_other:  # a rename would replace the device itself with a file
        raise InputError(f"{path} is not a regular file", hint="name another one, or - for standard output")
    if not has_parent:
        raise InputError(f"the directory {path.parent} does not exist", hint="create it first")
    if os.path.lexists(path) and not force:
        raise InputError(f"{path} already exists", hint="choose another name; 'stackctl backup --force' replaces it")
