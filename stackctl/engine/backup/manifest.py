"""The manifest of a backup: what is in it, by digest. Pure; nothing is believed of one that was read.

It is the archive's first member and lists all others, so that whatever is altered, missing or added is
noticed. A path that has passed here stays below the directory it is restored to, and so does every link.
"""

from __future__ import annotations

import hashlib
import posixpath
import re
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from stackctl.errors import InputError
from stackctl.model.layout import LOCK, RESTORE, STATE

FORMAT = 1
NAME = "manifest.json"
DIGEST_NAME = "manifest.sha256"
PREFIX = "stack/"
"""The stack's own files are below this folder of the archive."""

LARGEST = 256 * 1024 * 1024
"""Bytes of a manifest that are still read: room for a million files."""

_MODE = re.compile(r"0[0-7]{3}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_LARGEST_ID = 2**32 - 1
_LARGEST_FILE = 2**40


class Member(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file, folder or link of the stack.

    Attributes:
        mode: the permissions, in octal digits.
        mtime: time of the last change, in seconds since 1970.
        size: bytes of a file.
        sha256: digest of a file's content.
        target: what a link says.
    """

    kind: Literal["file", "dir", "link"]
    mode: str
    uid: int
    gid: int
    mtime: int = 0
    size: int = 0
    sha256: str = ""
    target: str = ""

    @property
    def permissions(self) -> int:
        """The mode as a number."""
        return int(self.mode, 8)


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """What an archive holds.

    Attributes:
        stackctl: version of the program that made it.
        project: the Compose project's name there, which the apps' volumes are named after.
        directory: where the stack was.
        files: the members by their paths below the stack's directory, sorted.
    """

    format: int
    stackctl: str
    at: datetime
    project: str
    directory: str
    files: dict[str, Member]

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return sum(member.size for member in self.files.values())

    @property
    def units(self) -> tuple[str, ...]:
        """What is moved in one step each: the paths that are in no other member."""
        return tuple(path for path in self.files if not any(above in self.files for above in ancestors(path)))

    def encoded(self) -> bytes:
        """The manifest as it stands in the archive."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


class _Version(Struct):
    format: int


def digest_of(encoded: bytes) -> str:
    """The digest of a whole archive: that of its manifest, which holds those of all files."""
    return hashlib.sha256(encoded).hexdigest()


def decode(encoded: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        InputError: it is none, of a later format, or names something that no backup holds.
    """
    try:
        version = msgspec.json.decode(encoded, type=_Version).format
        if version != FORMAT:
            raise InputError(
                f"the archive has format {version}; this stackctl knows {FORMAT}",
                hint="restore it with the stackctl that made it, or a later one",
            )
        manifest = msgspec.json.decode(encoded, type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"the manifest cannot be read: {error}") from error
    if list(manifest.files) != sorted(manifest.files):
        raise InputError("the manifest is not sorted")
    for path, member in manifest.files.items():
        problem = _problem(path, member, manifest.files)
        if problem:
            raise InputError(f"the manifest names {path!r}, {problem}")
    return manifest


def ancestors(path: str) -> list[str]:
    """The folders that ``path`` is in, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def _problem(path: str, member: Member, files: dict[str, Member]) -> str | None:
    if not is_plain(path) or path.startswith("../"):
        return "which is no path below a stack's directory"
    if path == STATE or path.startswith((LOCK, RESTORE)):
        return "which is stackctl's own"
    if any(above in files and files[above].kind != "dir" for above in ancestors(path)):
        return "which is below something that is no folder"
    if not _MODE.match(member.mode) or not 0 <= member.uid <= _LARGEST_ID or not 0 <= member.gid <= _LARGEST_ID:
        return "with a mode or an owner that no file has"
    if not 0 <= member.mtime <= _LARGEST_ID:
        return "with a time that no file has"
    return _content_problem(path, member)


def _content_problem(path: str, member: Member) -> str | None:
    if member.kind == "file":
        sound = _SHA256.match(member.sha256) and 0 <= member.size <= _LARGEST_FILE and not member.target
        return None if sound else "without a sound digest and size"
    if member.size or member.sha256:
        return "which has a content, but is no file"
    if member.kind == "link":
        return None if stays_inside(path, member.target) else f"a link that leads out, to {member.target!r}"
    return "a folder with a target" if member.target else None


def is_plain(path: str) -> bool:
    """Whether ``path`` is relative, has its shortest form, and holds nothing that cannot be printed."""
    return (
        bool(path)
        and path.isprintable()
        and not path.startswith("/")
        and posixpath.normpath(path) == path
        and path not in {".", ".."}
        and all(len(part.encode()) <= 255 for part in path.split("/"))
    )


def stays_inside(path: str, target: str) -> bool:
    """Whether a link at ``path`` with ``target`` leads to something below the stack's directory.

    ``..`` is allowed at the beginning alone: after another link, it would lead where no text shows.
    """
    if not target.isprintable() or not target or target.startswith("/") or posixpath.normpath(target) != target:
        return False
    climbs = target.split("/").count("..")
    return climbs <= path.count("/") and (target != ".." and not target.endswith("/.."))
