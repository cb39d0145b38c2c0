"""Write files atomically, and translate operating system errors to messages for the user."""

from __future__ import annotations

import errno
import os
import pwd
import re
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stackctl.errors import HostError, InputError
from stackctl.reading import read_regular

_BACKUP = re.compile(r"\.old(\d+)\Z")
_DRAFT_NAME = 50
"""How much of a file's name its draft has: 200 bytes at most, as a name may have 255."""

_NO_LINK = {errno.EPERM, errno.EACCES, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL}

DRAFTS = ".*.tmp"
"""The pattern of every name that :func:`draft_path` returns."""


@contextmanager
def host_errors() -> Iterator[None]:
    """Translate operating system errors to :class:`HostError`, with what, where and what to do."""
    try:
        yield
    except OSError as error:
        where = str(error.filename) if error.filename else None
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise HostError("the disk is full", where=where, hint="free some space; nothing was lost") from error
        if error.errno == errno.EROFS:
            raise HostError("the directory is read-only", where=where, hint="use a writable one") from error
        if error.errno in {errno.EACCES, errno.EPERM}:
            raise HostError("permission denied", where=where, hint=_who_may(where)) from error
        odd = error.errno in {errno.EINVAL, errno.EFBIG, errno.EISDIR, errno.ENXIO}
        hint = "replace it with an ordinary file, or remove it" if odd else None
        raise HostError(error.strerror or str(error), where=where, hint=hint) from error


def _who_may(where: str | None) -> str:
    """Return what to do about a denied permission: who owns the file, or the directory that it would be in."""
    there = next((path for path in (Path(where), *Path(where).parents) if path.exists()), None) if where else None
    try:
        owner = None if there is None else there.stat().st_uid
    except OSError:
        owner = None
    if owner is None:
        return "run as the user who created the stack, or as root"
    if owner == os.geteuid():
        return f"its mode does not allow it: see 'ls -ld {there}'"
    try:
        name = pwd.getpwuid(owner).pw_name
    except KeyError:
        name = f"user {owner}"
    if owner == 0:
        return (
            f"{there} belongs to root: give it to this user, 'sudo chown -R {os.geteuid()}:{os.getegid()} {there}', or"
            " run the command with sudo; with a rootless engine only the first helps"
        )
    return f"{there} belongs to {name}: run the command as {name}, or as root"


def give_to_owner(path: Path | int, folder: Path) -> None:
    """Give what root just created to the owner of the folder that it is in.

    A stack that root changes once stays the stack of its user.
    """
    if os.geteuid() == 0:
        there = folder.stat()
        if isinstance(path, int):
            os.fchown(path, there.st_uid, there.st_gid)
        else:
            os.chown(path, there.st_uid, there.st_gid, follow_symlinks=False)


@contextmanager
def input_errors(field: str) -> Iterator[None]:
    """Translate operating system errors about a file that the user named to :class:`InputError`."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(f"file {error.filename} does not exist", field=field) from error
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror or error}", field=field) from error


def make_folder(path: Path, mode: int = 0o755) -> None:
    """Create a directory and its missing parents, with modes independent of the umask.

    The proxy's workers and certbot read most of them as other users. An existing directory keeps its mode.
    """
    if not path.parent.is_dir():
        make_folder(path.parent)
    try:
        path.mkdir(mode)
    except FileExistsError:
        if not path.is_dir():
            raise
    else:
        path.chmod(mode)
        give_to_owner(path, path.parent)


def write_whole(path: Path, content: bytes, mode: int = 0o644) -> None:
    """Replace ``path`` with ``content`` atomically: after a crash it is the complete old file or the complete new one.

    A new file has ``mode`` whatever the umask is; an existing one keeps its own.
    """
    path = path.resolve()  # a link stays a link
    draft = draft_path(path)
    descriptor = open_new(draft)
    try:
        with os.fdopen(descriptor, "wb") as file:
            _set_owner_and_mode(file.fileno(), path, mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _set_owner_and_mode(descriptor: int, path: Path, mode: int) -> None:
    """Give a draft the owner and mode of the file that it replaces, or ``mode`` where there is none."""
    try:
        there = path.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, mode)
        return
    with suppress(PermissionError):  # its mode keeps another user's file readable for them
        os.fchown(descriptor, there.st_uid, there.st_gid)
    os.fchmod(descriptor, there.st_mode & 0o7777)


def draft_path(path: Path) -> Path:
    """Return a path for an unfinished ``path``, in the same directory, with a name that cannot be guessed."""
    return path.with_name(f".{path.name[:_DRAFT_NAME]}.{secrets.token_hex(8)}.tmp")


def open_new(path: Path) -> int:
    """Create a file that only its owner can read, open for reading and writing; never open one that exists.

    In a directory that others can write to, they can put a link or a file of theirs at any name first.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    give_to_owner(descriptor, path.parent)
    return descriptor


def new_folder(path: Path) -> None:
    """Create a directory that only its owner can enter; its parent exists."""
    path.mkdir(0o700)
    give_to_owner(path, path.parent)


def link_or_write(path: Path, content: bytes, same: str | None = None, mode: int = 0o644) -> bool:
    """Make ``path`` a hard link to the file ``same``, which has that content, else write it; return if it was written.

    A file system may have no hard links, and a user may not link to files of others (fs.protected_hardlinks).
    """
    if same is not None:
        try:
            os.link(same, path)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
        else:
            return False
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode))
    path.write_bytes(content)
    path.chmod(mode)
    give_to_owner(path, path.parent)
    return True


def remove_drafts(folder: Path, pattern: str = DRAFTS) -> None:
    """Remove the unfinished files and directories that a killed process left in ``folder``; links are not followed."""
    for path in folder.glob(pattern):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with suppress(OSError):
                path.unlink()


def sync_file(path: Path) -> None:
    """Flush a file's content to disk, so that it survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Flush the entries of a directory to disk, so that a rename survives a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_or_none(path: Path) -> bytes | None:
    """Return the content of a regular file, or None if there is none, or only a link that leads nowhere."""
    try:
        return read_regular(path)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            return None
        raise


def backups(path: Path) -> list[Path]:
    """Return the backups that :func:`back_up` made of a file or directory, the oldest first."""
    found = {int(match[1]): one for one in path.parent.glob(f"{path.name}.old*") if (match := _BACKUP.search(one.name))}
    return [found[number] for number in sorted(found)]


def free_backup(path: Path) -> Path:
    """Return the next free ``.oldN`` of a path."""
    last = backups(path)
    number = int(last[-1].name.rpartition(".old")[2]) + 1 if last else 1
    return Path(f"{path}.old{number}")


def back_up(path: Path) -> None:
    """Rename a file, directory or link to the next free ``.oldN``, if it exists."""
    if path.exists():
        path.rename(free_backup(path))
