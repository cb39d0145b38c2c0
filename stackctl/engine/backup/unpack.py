"""Read an archive: verify every member against the manifest, to the last byte, before any of it is used."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from stackctl.engine.backup.manifest import (
    DIGEST_NAME,
    LARGEST,
    NAME,
    Manifest,
    Member,
    decode,
    digest_of,
)
from stackctl.engine.backup.pack import HEAD, header, own_header
from stackctl.engine.backup.snapshot import CHUNK
from stackctl.errors import InputError

Keep = Callable[[str, Member, Iterator[bytes]], None]
"""Receives one member: its path, its facts, and its content, which must be read to the end."""

_HINT = "use another copy of it; nothing was changed"


_HEADERS = 64 * 1024
"""The most that the headers of one member take: a path has 4,096 bytes at most."""


class _Bounded(io.RawIOBase):
    """Gives no more of a stream than was allowed: an archive may expand to any size, in its headers too."""

    def __init__(self, stream: gzip.GzipFile) -> None:
        self._stream = stream
        self._left = 0

    def allow(self, size: int) -> None:
        """Allow ``size`` more bytes, besides what tarfile reads ahead."""
        self._left = size + _HEADERS + 2 * tarfile.RECORDSIZE

    def read(self, size: int = -1) -> bytes:
        """See :meth:`io.RawIOBase.read`."""
        most = self._left + 1
        found = self._stream.read(most if size < 0 else min(size, most))
        self._left -= len(found)
        if self._left < 0:
            raise ValueError("it is larger than its manifest says")
        return found


def verify(file: BinaryIO) -> tuple[Manifest, str]:
    """Verify a whole archive without unpacking it, and return its manifest and its digest.

    Raises:
        InputError: it is not a backup, truncated, altered, or of a later format.
    """
    return read(file, lambda _path, _member, content: _exhaust(content))


def read(file: BinaryIO, keep: Keep) -> tuple[Manifest, str]:
    """Read a whole archive, and pass each member to ``keep`` in the manifest's order.

    The results of ``keep`` may be used only after this has returned.

    Raises:
        InputError: as :func:`verify`.
    """
    file.seek(0)
    head = file.read(len(HEAD))
    if head[:3] != HEAD[:3]:
        raise InputError("it is not a backup made by stackctl", hint="'stackctl backup FILE' makes backups")
    if head != HEAD:
        raise InputError("the archive is truncated or altered: its header is not the one written", hint=_HINT)
    file.seek(0)
    with _translated(), gzip.GzipFile(fileobj=file, mode="rb") as stream:
        bounded = _Bounded(stream)
        bounded.allow(LARGEST)
        with tarfile.open(fileobj=bounded, mode="r|", format=tarfile.PAX_FORMAT) as tar:
            manifest, digest = _read_members(tar, bounded, keep)
        # A tar is padded with zeros after its end, to a record of 10,240 bytes.
        rest = stream.read(tarfile.RECORDSIZE + 1)
        if len(rest) > tarfile.RECORDSIZE or rest.strip(b"\0"):
            raise _altered("there is data after its end")
    return manifest, digest


@contextmanager
def _translated() -> Iterator[None]:
    """Translate the errors of the decoders to one message."""
    try:
        yield
    except EOFError as error:
        raise _altered("its end is missing") from error
    except (tarfile.TarError, zlib.error, gzip.BadGzipFile, ValueError, OverflowError) as error:
        raise _altered(str(error) or type(error).__name__) from error


def _altered(what: str) -> InputError:
    return InputError(f"the archive is truncated or altered: {what}", hint=_HINT)


def _read_members(tar: tarfile.TarFile, bounded: _Bounded, keep: Keep) -> tuple[Manifest, str]:
    first = _next(tar, NAME)
    if first.size > LARGEST:
        raise _altered("its manifest is too large")
    encoded = _content(tar, first).read()
    digest = digest_of(encoded)
    try:
        manifest = decode(encoded)
    except InputError as error:
        raise error if error.hint else _altered(error.message) from error
    made = int(manifest.at.timestamp())
    _compare(first, own_header(NAME, len(encoded), made))
    for path, member in manifest.files.items():
        bounded.allow(member.size)
        expected = header(path, member)
        found = _next(tar, expected.name)
        _compare(found, expected)
        keep(path, member, _checked(tar, found, path, member))
    bounded.allow(0)
    line = f"{digest}  {NAME}\n".encode()
    last = _next(tar, DIGEST_NAME)
    _compare(last, own_header(DIGEST_NAME, len(line), made))
    if _content(tar, last).read() != line:
        raise _altered("the digest of its manifest does not match")
    if tar.next() is not None:
        raise _altered("there is data after its end")
    return manifest, digest


def _next(tar: tarfile.TarFile, name: str) -> tarfile.TarInfo:
    found = tar.next()
    if found is None:
        raise _altered(f"{name} is missing")
    if found.name != name:
        raise _altered(f"it contains {found.name!r} instead of {name!r}")
    return found


_COMPARED = ("type", "mode", "uid", "gid", "size", "mtime", "linkname", "uname", "gname")


def _compare(found: tarfile.TarInfo, expected: tarfile.TarInfo) -> None:
    for key in _COMPARED:
        if getattr(found, key) != getattr(expected, key):
            raise _altered(f"{found.name}: its {key} does not match the manifest")


def _content(tar: tarfile.TarFile, info: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(info) if info.type == tarfile.REGTYPE and not info.issparse() else None
    if content is None:
        raise _altered(f"{info.name} is not a file")
    return content


def _checked(tar: tarfile.TarFile, info: tarfile.TarInfo, path: str, member: Member) -> Iterator[bytes]:
    if member.kind != "file":
        return
    digest = hashlib.sha256()
    content = _content(tar, info)
    while chunk := content.read(CHUNK):
        digest.update(chunk)
        yield chunk
    if digest.hexdigest() != member.sha256:
        raise _altered(f"the content of {path} does not match the manifest")


def _exhaust(content: Iterator[bytes]) -> None:
    for _ in content:
        pass
