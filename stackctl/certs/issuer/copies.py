"""Copy certificates with their keys to where a proxy reads them: only what is verified, and each pair as a whole.

    HOME/lineages/NAME     a link to versions/ID, switched in one rename
    HOME/stored/NAME       the same, for certificates that are not certbot's
    HOME/versions/ID/      the files of one pair, complete as soon as the folder has its name; a replaced one stays
                           for a minute, as a server that is just starting or reloading may be reading it

It runs on the host and, as certbot's deploy hook, in the certbot container: with the standard library of
Python 3.9 or later and ``cryptography`` 38 or later. A pair that is refused leaves the last good copy in place.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import fcntl
import importlib
import importlib.util
import os
import secrets
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackctl.certs.issuer.exports import refresh_export
from stackctl.certs.issuer.pair import PairFiles, blocks, chain_fault, digest, pair_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

LINEAGES, STORED, VERSIONS = "lineages", "stored", "versions"
_UTC = dt.timezone.utc  # noqa: UP017  (its short name is of Python 3.11)
_CERT, _CHAIN, _FULLCHAIN, _PRIVKEY = "cert.pem", "chain.pem", "fullchain.pem", "privkey.pem"
_KEPT = 60.0
"""Seconds for which a replaced version stays; its time of modification is when it was replaced."""


def expiry(fullchain: bytes) -> dt.datetime:
    """Return when the leaf of a chain expires."""
    leaf: Any = importlib.import_module("cryptography.x509").load_pem_x509_certificate(fullchain)
    # cryptography before 42 has only the time without its zone, which is UTC.
    at: dt.datetime = getattr(leaf, "not_valid_after_utc", None) or leaf.not_valid_after
    return at.replace(tzinfo=_UTC)


def served_fault(fullchain: bytes, chain: bytes | None) -> str | None:
    """Return why clients may not verify a chain, or None; a fault of ``chain.pem`` alone is none of what is served."""
    fault = chain_fault(fullchain, chain)
    return None if fault is not None and fault.startswith(_CHAIN) else fault


def refusal(pair: PairFiles, copy: bytes | None, now: dt.datetime) -> str | None:
    """Return why a pair does not replace the chain ``copy``, or None; it must be loadable in any case.

    What is incomplete or has expired is still better than nothing, but not than a copy that is valid.
    """
    if importlib.util.find_spec("cryptography") is None:
        return "certbot's Python has no cryptography to verify it with"
    problem = pair_problem(pair.fullchain, pair.privkey)
    if problem is not None or pair.fullchain is None or copy is None or expiry(copy) <= now:
        return problem
    if expiry(pair.fullchain) <= now:
        return "it has expired, and its last copy has not"
    return served_fault(pair.fullchain, pair.chain)


@contextlib.contextmanager
def locked(home: Path) -> Iterator[None]:
    """Let no other process change the copies."""
    home.mkdir(0o755, parents=True, exist_ok=True)
    descriptor = os.open(home, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # a network file system may have no locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def copied(home: Path, kind: str, name: str) -> tuple[str, bytes] | None:
    """Return the version and the chain of a copy, or None if there is none, or it is damaged."""
    link = f"{home}/{kind}/{name}"  # no path objects: with a thousand sites they cost more than reading the files
    try:
        version = os.readlink(link).rpartition("/")[2].partition(".")[0]  # noqa: PTH115
        with open(f"{link}/{_FULLCHAIN}", "rb") as file:  # noqa: PTH123
            chain = file.read()
        try:
            with open(f"{link}/{_PRIVKEY}", "rb") as file:  # noqa: PTH123
                key = digest(file.read())
        except PermissionError:  # another user's, who verified it
            key = version.partition("-")[2]
    except OSError:
        return None
    return (version, chain) if version == f"{digest(chain)}-{key}" else None


def copy(home: Path, kind: str, name: str, pair: PairFiles) -> bool:
    """Make a verified pair the copy ``name``, and return whether that changed it."""
    version = pair.version
    assert version is not None
    assert pair.fullchain is not None
    assert pair.privkey is not None
    with locked(home):
        there = copied(home, kind, name)
        if there is not None and there[0] == version and (home / kind / name).is_symlink():
            return False
        (home / kind).mkdir(0o755, exist_ok=True)
        (home / VERSIONS).mkdir(0o755, exist_ok=True)
        leaf, *behind = blocks(pair.fullchain) or [pair.fullchain]
        files = {_CERT: leaf, _CHAIN: b"".join(behind), _FULLCHAIN: pair.fullchain, _PRIVKEY: pair.privkey}
        folder = home / VERSIONS / f"{version}.{secrets.token_hex(4)}"
        _write(folder, files)
        before = _switch(home / kind / name, f"../{VERSIONS}/{folder.name}")
        with contextlib.suppress(OSError):
            if before is not None:
                os.utime(home / VERSIONS / before)
            _sweep(home)
    with contextlib.suppress(OSError):  # what others read of it is tried again in the next round
        refresh_export(home.parent, kind, name, pair)
    return True


def remove(home: Path, kind: str, name: str) -> None:
    """Remove a copy with its key, and with those that it has just replaced: others may have them."""
    if os.path.lexists(home / kind / name):
        with locked(home):
            names = _names(home / kind / name)
            removed = _unlink(home / kind / name)
            _sweep(home, lambda folder: folder.name == removed or (names is not None and _names(folder) == names))


def _names(folder: Path) -> Any:  # noqa: ANN401  (a type of cryptography's)
    """Return the names of the certificate in a folder, or None."""
    x509: Any = importlib.import_module("cryptography.x509")
    try:
        leaf = x509.load_pem_x509_certificate((folder / _FULLCHAIN).read_bytes())
        return leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, x509.ExtensionNotFound):
        return None


def _write(folder: Path, files: dict[str, bytes]) -> None:
    draft = folder.with_name(f".{folder.name}.tmp")
    draft.mkdir(0o755)
    try:
        draft.chmod(0o755)
        for name, content in files.items():
            mode = 0o600 if name == _PRIVKEY else 0o644
            descriptor = os.open(draft / name, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            with os.fdopen(descriptor, "wb") as file:
                os.fchmod(descriptor, mode)
                file.write(content)
                file.flush()
                os.fsync(descriptor)
        _sync(draft)
        draft.rename(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    _sync(folder.parent)


def _switch(link: Path, target: str) -> str | None:
    """Switch a link to ``target``, and return the version that it named before."""
    before = link.readlink().name if link.is_symlink() else None
    draft = link.with_name(f".{secrets.token_hex(8)}.tmp")
    draft.symlink_to(target)
    try:
        if link.is_dir() and not link.is_symlink():
            _unlink(link)
        draft.replace(link)
    except BaseException:
        draft.unlink()
        raise
    _sync(link.parent)
    return before


def _unlink(link: Path) -> str:
    """Remove a link, and return the version that it named; a copy of a stack may hold folders instead of links."""
    if link.is_symlink():
        before = link.readlink().name
        link.unlink()
        return before
    return link.rename(link.parent.parent / VERSIONS / f".{secrets.token_hex(8)}.tmp").name


def remove_unused(home: Path) -> None:
    """Remove the versions that no link names, unless they were just replaced, and what a killed process left."""
    with locked(home):
        _sweep(home)


def _sweep(home: Path, at_once: Callable[[Path], bool] = lambda _: False) -> None:
    """Do that under the lock; a version goes ``at_once`` if this is true of its folder."""
    links = [link for kind in (LINEAGES, STORED) if (home / kind).is_dir() for link in (home / kind).iterdir()]
    for draft in [link for link in links if link.name[0] == "."]:
        draft.unlink()
    used, now = {link.readlink().name for link in links if link.is_symlink()}, time.time()
    for folder in (home / VERSIONS).iterdir() if (home / VERSIONS).is_dir() else ():
        if folder.name in used:
            continue
        just_replaced = folder.name[0] != "." and 0 <= now - folder.stat().st_mtime < _KEPT
        if not just_replaced or at_once(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read(live: Path) -> PairFiles:
    """Return the pair in the folder of a lineage; what is missing is None."""

    def content(name: str) -> bytes | None:
        try:
            return (live / name).read_bytes()
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None

    return PairFiles(content(_FULLCHAIN), content(_PRIVKEY), content(_CHAIN))


def bring_up_to_date(home: Path, live: Path, now: dt.datetime) -> tuple[bool, str | None]:
    """Copy the lineage in the folder ``live`` if its copy differs; return whether it changed, and why it is refused."""
    try:
        pair, there = read(live), copied(home, LINEAGES, live.name)
        if there is not None and there[0] == pair.version:
            refresh_export(home.parent, LINEAGES, live.name, pair)
            return False, None
        reason = refusal(pair, there[1] if there else None, now)
        return (False, reason) if reason else (copy(home, LINEAGES, live.name, pair), None)
    except OSError as error:
        reason = "the disk is full" if error.errno in {errno.ENOSPC, errno.EDQUOT} else str(error)
        return False, reason


def main(conf: str, stamps: str, only: str | None, problems: Mapping[str, str] | None = None) -> int:
    """Copy all lineages, or ``only`` one; note what is refused, and write the stamp if a copy changed.

    ``problems`` are those of other certificates, by name, which are noted too.
    """
    folder, home = Path(conf) / "live", Path(stamps) / "pairs"
    every = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    names = every if only is None else [only]
    now = dt.datetime.now(_UTC)
    changed, refused = False, _refused(Path(stamps) / "refused")
    refused = {name: reason for name, reason in refused.items() if only is not None and name in every}
    for name in names:
        refused.pop(name, None)
        new, reason = bring_up_to_date(home, folder / name, now)
        changed = changed or new
        if reason:
            refused[name] = reason
            sys.stderr.write(f"{name} is not copied for the proxy: {reason}\n")
    failed = bool(problems) or any(name in refused for name in names)
    refused.update(problems or {})
    with contextlib.suppress(OSError):
        if only is None:
            remove_unused(home)
        text = "".join(f"{name}: {reason}\n" for name, reason in refused.items())
        replace_text(Path(stamps) / "refused", text)
    if changed:
        replace_text(Path(stamps) / "renewed", f"{time.time():.9f}\n")
    return 1 if failed else 0


def _refused(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return {}
    return dict(line.split(": ", 1) for line in lines if ": " in line)


def replace_text(path: Path, text: str) -> None:
    """Replace a small file as a whole; none is made to say nothing."""
    if not text and not path.exists():
        return
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.chmod(0o644)
        draft.replace(path)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise
