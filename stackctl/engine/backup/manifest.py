"""The manifest of a backup: its members with their digests. Pure; a manifest that was read is untrusted input.

It is the archive's first member and lists all others, so that an altered, missing or added member is
detected. A path that passes validation stays below the directory it is restored to, and so does every link.
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
"""The stack's own files are below this directory of the archive."""

LARGEST = 256 * 1024 * 1024
"""The largest accepted manifest, in bytes: room for a million files."""

_MODE = re.compile(r"0[0-7]{3}\Z")
_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_LARGEST_ID = 2**32 - 1
_LARGEST_FILE = 2**40


class Member(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A file, directory or link of the stack.

    Attributes:
        mode: the permissions, in octal digits.
        mtime: time of the last change, in seconds since 1970.
        size: bytes of a file.
        sha256: digest of a file's content.
        target: the target of a link.
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
    """The contents of an archive.

    Attributes:
        stackctl: version of the program that made it.
        project: the Compose project's name, from which the names of the apps' volumes derive.
        directory: the stack's directory.
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
        """The total size of all files in bytes."""
        return sum(member.size for member in self.files.values())

    @property
    def units(self) -> tuple[str, ...]:
        """The paths that are in no other member: each is moved in one step."""
        return tuple(path for path in self.files if not any(above in self.files for above in ancestors(path)))

    def encoded(self) -> bytes:
        """Return the manifest as it is written to the archive."""
        return msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n"


class _Version(Struct):
    format: int


def digest_of(encoded: bytes) -> str:
    """Return the digest of a whole archive: that of its manifest, which contains those of all files."""
    return hashlib.sha256(encoded).hexdigest()


def decode(encoded: bytes) -> Manifest:
    """Read a manifest.

    Raises:
        InputError: it is invalid, of a later format, or names something that no backup contains.
    """
    try:
        version = msgspec.json.decode(encoded, type=_Version).format
        if version != FORMAT:
            raise InputError(
                f"the archive has format {version}; this version of stackctl reads format {FORMAT}",
                hint="restore it with the version of stackctl that made it, or a later one",
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
    """Return the directories that contain ``path``, outermost first."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[: end + 1]) for end in range(len(parts))]


def _problem(path: str, member: Member, files: dict[str, Member]) -> str | None:
    if not is_plain(path) or path.startswith("../"):
        return "which is not a path below a stack's directory"
    if path == STATE or path.startswith((LOCK, RESTORE)):
        return "which is reserved for stackctl"
    if any(above in files and files[above].kind != "dir" for above in ancestors(path)):
        return "which is below a path that is not a directory"
    if not _MODE.match(member.mode) or not 0 <= member.uid <= _LARGEST_ID or not 0 <= member.gid <= _LARGEST_ID:
        return "with an invalid mode or owner"
    if not 0 <= member.mtime <= _LARGEST_ID:
        return "with an invalid time"
    return _content_problem(path, member)


def _content_problem(path: str, member: Member) -> str | None:
    if member.kind == "file":
        sound = _SHA256.match(member.sha256) and 0 <= member.size <= _LARGEST_FILE and not member.target
        return None if sound else "without a valid digest and size"
    if member.size or member.sha256:
        return "which has content, but is not a file"
    if member.kind == "link":
        return None if stays_inside(path, member.target) else f"a link that points outside, to {member.target!r}"
    return "a directory with a link target" if member.target else None


def is_plain(path: str) -> bool:
    """Return whether ``path`` is relative, normalized and printable."""
    return (
        bool(path)
        and path.isprintable()
        and not path.startswith("/")
        and posixpath.normpath(path) == path
        and path not in {".", ".."}
        and all(len(part.encode()) <= 255 for part in path.split("/"))
    )


def stays_inside(path: str, target: str) -> bool:
    """Return whether a link at ``path`` with ``target`` points below the stack's directory.

    ``..`` is allowed only at the beginning: after another link, its target would not be evident from the text.
    """
    if not target.isprintable() or not target or target.startswith("/") or posixpath.normpath(target) != target:
        return False
    climbs = target.split("/").count("..")
    return climbs <= path.count("/") and (target != ".." and not target.endswith("/.."))
