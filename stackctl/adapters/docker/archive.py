"""Read the tar archives that Docker returns."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Iterable

from stackctl.errors import EngineError
from stackctl.observed.containers import Entry


def untar(archive: bytes) -> dict[str, bytes]:
    """Return the files of an archive by their paths below its top directory, with links inside it followed."""
    files: dict[str, bytes] = {}
    links: dict[str, str] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = member.name.partition("/")[2]
            if member.issym():
                links[path] = posixpath.normpath(posixpath.join(posixpath.dirname(path), member.linkname))
            elif member.isfile():
                content = tar.extractfile(member)
                files[path] = content.read() if content else b""
    return files | {path: files[target] for path, target in links.items() if target in files}


def bounded(chunks: Iterable[bytes], limit: int, what: str) -> bytes:
    """Return an archive.

    Raises:
        EngineError: it has more than ``limit`` bytes, besides its headers.
    """
    archive = bytearray()
    for chunk in chunks:
        archive += chunk
        if len(archive) > limit + _HEADERS:
            raise EngineError(f"{what} has more than {limit >> 20} MB")
    return bytes(archive)


_HEADERS = 4 << 20
"""The room for an archive's headers."""


def entries(archive: bytes) -> dict[str, Entry]:
    """Return the entries of an archive by their paths below its top entry, which has the key ``""``."""
    found: dict[str, Entry] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            path = member.name.rstrip("/").partition("/")[2]
            if member.issym():
                found[path] = Entry(member.mode, target=member.linkname, modified=member.mtime)
            elif member.isdir():
                found[path] = Entry(member.mode)
            elif member.isfile() or member.islnk():
                content = tar.extractfile(member)
                found[path] = Entry(member.mode, content.read() if content else b"", modified=member.mtime)
    return found
