"""Collect the facts that :mod:`stackctl.diagnose.permissions` checks."""

from __future__ import annotations

import os
import pwd
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

from stackctl.adapters.disk.files import DRAFTS
from stackctl.adapters.disk.lock import last_holder
from stackctl.adapters.git import find_repository, tracked_files, unignored_files
from stackctl.certs.issuer.merge import HOME
from stackctl.diagnose.permissions import Mode, PermissionFacts, Repository
from stackctl.engine.probe import probe_file
from stackctl.model.layout import (
    ACCOUNT_KEY,
    ACCOUNTS,
    ARCHIVES,
    CA,
    CERTBOT,
    CERTBOT_CONF,
    CERTS,
    CHALLENGES,
    DIRECTORIES,
    DNS,
    DNS_ZONES,
    EAB_KEY,
    GENERATIONS,
    HISTORY,
    LINEAGES,
    LIVE_DRAFTS,
    LOCAL_ISSUER,
    LOCK,
    METRICS,
    PAIRS,
    PRIVKEY,
    RESTORE,
    SECRET_FOLDERS,
    STAMPS,
    STATE,
    WATCH,
    WATCH_SETTINGS,
    WEBROOT,
    WELL_KNOWN,
)
from stackctl.proxies.registry import layouts
from stackctl.times import TOLERANCE

_DRAFTS = (
    (STATE, DRAFTS),
    (HISTORY, DRAFTS),
    (RESTORE, DRAFTS),
    ("", DRAFTS),
    (CA.path, DRAFTS),
    (CERTBOT, DRAFTS),
    (CERTS, f"*/{DRAFTS}"),
    (STAMPS.path, DRAFTS),
    (METRICS.path, DRAFTS),
    (WATCH.path, DRAFTS),
    ((CERTBOT_CONF / HOME).path, "run-*"),
)
"""The directories and file names of unfinished writes."""

_SECRETS = (
    STATE,
    CERTS,
    EAB_KEY.path,
    LOCAL_ISSUER.path,
    PAIRS.path,
    WATCH_SETTINGS.path,
    *((CERTBOT_CONF / folder).path for folder in (ARCHIVES, LINEAGES, ACCOUNTS, "keys")),
)
"""What no repository is to keep; certbot before 2.0 has its key files in ``keys``."""

_SUBORDINATE = 65536
"""The other users of rootless containers have numbers from here on (subuid(5))."""

_PROBE_FILE_SECONDS = 60.0
"""Longer than any check of names takes: an older probe file is a leftover."""


def unreadable(root: Path, custom: str, names: Iterable[str]) -> Iterator[Mode]:
    """Yield the files below ``custom`` that the proxy's workers cannot read."""
    for name in names:
        path = root / custom / name
        there = _mode(path)
        if there is not None and not there & 0o004:
            yield Mode(f"{custom}/{name}", there, there | 0o044, "so that the proxy cannot read it and answers 500")


def open_to_others(root: Path, users: Iterable[str]) -> Iterator[Mode]:
    """Yield the files with hashed passwords that others can read: the proxy reads copies of them."""
    for name in users:
        there = _mode(root / name)
        if there is not None and there & 0o077:
            yield Mode(name, there, 0o600, "so that others can guess its passwords offline")


def permission_facts(
    root: Path, now: datetime, unread: Iterable[Mode] = (), *, rootless: bool = False
) -> PermissionFacts:
    """Return the facts of the stack in ``root``; unreadable directories are skipped."""
    holder = last_holder(root / LOCK, now)
    owner = os.geteuid() or root.stat().st_uid
    return PermissionFacts(
        root=str(root),
        writable=os.access(root, os.W_OK | os.X_OK),
        modes=(*_modes(root), *unread),
        webroot=next(_closed(root), None),
        repository=_repository(root),
        foreign=tuple(_foreign(root, owner)) if rootless else (),
        owner=_name(owner),
        # The drafts of a running command are not leftovers.
        drafts=() if holder is not None and holder.alive else tuple(_drafts(root)),
        unfinished=str(holder) if holder is not None and not holder.alive else None,
        running=str(holder) if holder is not None and holder.alive else None,
    )


def _foreign(root: Path, owner: int) -> Iterator[str]:
    """Yield what another user of this host owns, without what is below it."""
    paths = [root / folder for folder in sorted({*SECRET_FOLDERS, *(layout.directory for layout in layouts())})]
    while paths:
        path = paths.pop()
        with suppress(OSError):
            user = path.lstat().st_uid
            if user != owner and user < _SUBORDINATE:
                yield str(path.relative_to(root))
            elif path.is_dir() and not path.is_symlink():
                paths += sorted(path.iterdir(), reverse=True)


def _name(user: int) -> str:
    try:
        return pwd.getpwuid(user).pw_name
    except KeyError:
        return str(user)


def _repository(root: Path) -> Repository | None:
    found = find_repository(root)
    if found is None:
        return None
    return Repository(str(found), tracked_files(root, _SECRETS), unignored_files(root, _SECRETS))


def _modes(root: Path) -> Iterator[Mode]:
    wanted = [(root / STATE, DIRECTORIES[STATE], "so that others can read it")]
    wanted += [(path, 0o600, "so that others can read the key") for path in _glob(root / CERTS, f"*/{PRIVKEY}")]
    wanted += [(path, 0o600, "so that others can read the key") for path in _glob(root / PAIRS.path, f"*/*/{PRIVKEY}")]
    accounts = _glob(root / (CERTBOT_CONF / ACCOUNTS).path, f"**/{ACCOUNT_KEY}")
    wanted += [(path, 0o400, "so that others can act as you at the CA") for path in accounts]
    keys = [path for path in _glob(root / DNS.path, "*") if path.is_file() and path != root / DNS_ZONES.path]
    wanted += [(path, 0o600, "so that others can change your DNS") for path in keys]
    wanted.append((root / WATCH_SETTINGS.path, 0o600, "so that others can read the credentials of receivers of alerts"))
    wanted.append((root / EAB_KEY.path, 0o600, "so that others can use it to bind their account to yours"))
    wanted.append((root / LOCAL_ISSUER.path, 0o600, "so that others can issue certificates that you trust"))
    for path, mode, why in wanted:
        there = _mode(path)
        if there is not None and there & 0o077:
            yield Mode(str(path.relative_to(root)), there, mode, why)


def _closed(root: Path) -> Iterator[Mode]:
    """Yield directories that unprivileged proxy workers cannot traverse."""
    folder = root / WEBROOT.path
    for path in (folder, folder / WELL_KNOWN, folder / CHALLENGES):
        there = _mode(path)
        if there is not None and there & 0o005 != 0o005:
            why = "so that the proxy cannot serve challenges"
            yield Mode(str(path.relative_to(root)), there, 0o755, why)


def _draft_patterns() -> Iterator[tuple[str, str]]:
    """Yield the directories of unfinished writes, each with the pattern of their names."""
    for layout in layouts():
        yield layout.directory, LIVE_DRAFTS
        yield f"{layout.directory}/{GENERATIONS}", DRAFTS
        yield layout.custom, DRAFTS
    yield from _DRAFTS


def _drafts(root: Path) -> Iterator[str]:
    for folder, pattern in _draft_patterns():
        yield from (str(path.relative_to(root)) for path in _glob(root / folder, pattern))
    # Probing needs no lock: a recent probe file may belong to another command that is running.
    for path in _glob(root / (WEBROOT / CHALLENGES).path, f"{probe_file.BEGINNING}*"):
        with suppress(FileNotFoundError):
            age = time.time() - path.stat().st_mtime
            if age > _PROBE_FILE_SECONDS or age < -TOLERANCE.total_seconds():
                yield str(path.relative_to(root))


def _glob(folder: Path, pattern: str) -> list[Path]:
    try:
        return sorted(folder.glob(pattern))
    except OSError:
        return []


def _mode(path: Path) -> int | None:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return None
