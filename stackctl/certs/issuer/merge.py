"""Copy a certbot lineage out of the shared tree and merge it back, so that it is complete at every moment.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`): it runs in the certbot container with
only the standard library of Python 3.9 or later, and it knows certbot's files but does not import certbot.
"""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import platform
import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from stackctl.certs.issuer.versions import read_archive, seedable

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("cert", "chain", "privkey", "fullchain")
HOME = ".stackctl-issuer"


class ElsewhereError(Exception):
    """The files of a lineage are not where certbot puts them by default: it cannot be staged."""


class ConfigDir:
    """A configuration directory of certbot: ``archive``, ``live``, ``renewal`` and ``accounts``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def conf(self, name: str) -> Path:
        """Return the renewal file of a lineage."""
        return self.root / "renewal" / f"{name}.conf"

    def live(self, name: str) -> Path:
        """Return the directory that the web server reads."""
        return self.root / "live" / name

    def pem(self, name: str, kind: str, version: int) -> Path:
        """Return one file of one version of a lineage."""
        return self.root / "archive" / name / f"{kind}{version}.pem"

    def accounts(self, server: str) -> Path:
        """Return the directory of the accounts at one CA."""
        return self.root / "accounts" / server.partition("://")[2]

    def target(self, name: str, kind: str) -> Path | None:
        """Return the target of a link of ``live/NAME``, or None if the link is missing or broken."""
        link = self.live(name) / f"{kind}.pem"
        return link.readlink() if link.is_symlink() and link.exists() else None

    def shows(self, name: str, version: int) -> bool:
        """Return whether all four links point to this version."""
        return all(self.target(name, k) == Path(f"../../archive/{name}/{k}{version}.pem") for k in KINDS)

    def version(self, name: str) -> int | None:
        """Return the version that all four links point to, or None if they differ."""
        found = re.search(r"(\d+)\.pem$", str(self.target(name, "cert")))
        version = int(found[1]) if found else 0
        targets = [getattr(self.target(name, kind), "name", None) for kind in KINDS]
        return version if targets == [f"{kind}{version}.pem" for kind in KINDS] else None

    def numbers(self, name: str, kind: str = r"\w+?") -> set[int]:
        """Return the versions in the archive that have a file of this kind."""
        with contextlib.suppress(OSError):
            files = (self.root / "archive" / name).iterdir()
            return {int(m[1]) for m in (re.fullmatch(rf"{kind}(\d+)\.pem", f.name) for f in files) if m}
        return set()


def sync(path: Path) -> None:
    """Flush a file, or the entries of a directory, to disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def link(source: str | Path, target: str | Path) -> None:
    """Hard-link a file, with the same owner, mode and inode; copy it if the file system has no links."""
    target = Path(target)
    if target.exists():
        return
    target.unlink(missing_ok=True)  # a broken link
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        part = Path(f"{target}.part")
        part.unlink(missing_ok=True)
        shutil.copy2(source, part, follow_symlinks=False)
        part.replace(target)


def seed(shared: ConfigDir, mine: ConfigDir, name: str) -> bool:
    """Copy a lineage, so that certbot renews it with the next version number; False if there is none to copy.

    The links are made from the archive: if ``live/NAME`` was lost or half switched, certbot sees
    a complete lineage, keeps what is valid, and merging restores the links without a new order.
    """
    conf = shared.conf(name)
    head, rest, params = (conf.read_text() if conf.exists() else "").partition("\n[")
    if not re.search(r"^server *= *\S", params, re.MULTILINE):
        return False  # truncated: certbot would ignore it, and make a NAME-0001
    paths = dict(re.findall(r"^(\w+) *= *(.*?) *$", head, re.MULTILINE))
    home = {"archive_dir": str(shared.root / "archive" / name)}
    home.update({kind: str(shared.live(name) / f"{kind}.pem") for kind in KINDS})
    if any(paths.get(key, path) != path for key, path in home.items()):
        raise ElsewhereError(f"{conf} names files outside {shared.root}/live/{name} and archive/{name}")
    whole = seedable(read_archive(shared.root, name))
    shown = shared.version(name)
    version = shown if shown in whole else max(whole, default=None)
    if version is None or not all(kind in paths for kind in KINDS):
        return False
    archive = mine.root / "archive" / name
    shutil.copytree(shared.root / "archive" / name, archive, symlinks=True, copy_function=link)
    mine.live(name).mkdir(parents=True)
    for kind in KINDS:
        (mine.live(name) / f"{kind}.pem").symlink_to(f"../../archive/{name}/{kind}{version}.pem")
    mine.conf(name).parent.mkdir()
    # Only certbot's five paths come before the first section.
    mine.conf(name).write_text(head.replace(f"= {shared.root}/", f"= {mine.root}/") + rest + params)
    shutil.copymode(conf, mine.conf(name))
    (mine.root.parent / "seeded").write_text(json.dumps(sorted(shared.numbers(name))))
    return True


def exchange(one: Path, other: Path) -> bool:
    """Swap two directories atomically (renameat2); False if the system does not support it."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (-100, os.fsencode(one), -100, os.fsencode(other), 2)  # AT_FDCWD, RENAME_EXCHANGE
    if hasattr(libc, "renameat2"):
        return bool(libc.renameat2(*names) == 0)
    # musl lacked this function for a long time, but the kernel has the call (since 3.15).
    number = {"x86_64": 316, "aarch64": 276}.get(platform.machine())
    return number is not None and bool(libc.syscall(ctypes.c_long(number), *names) == 0)


def switch(shared: ConfigDir, fresh: Path, name: str, version: int, note: Callable[[str], None]) -> None:
    """Switch ``live/NAME`` to a version.

    Four links switched one by one leave a moment when key and chain do not match, and a reload or a
    crash may hit it. So the directory is built anew and swapped in by one rename. If two
    directories cannot be swapped, the links are switched one by one under certbot's own journal
    (``previous_*.pem``): any certbot command rolls such a half switch back, and the issuer's next run
    finishes it.
    """
    live = shared.live(name)
    shutil.rmtree(fresh, ignore_errors=True)
    ours = shutil.ignore_patterns("previous_*.pem", *(f"{kind}.pem" for kind in KINDS))
    if live.is_dir():
        shutil.copytree(live, fresh, symlinks=True, ignore=ours)
        os.chown(fresh, live.stat().st_uid, live.stat().st_gid)
    else:
        fresh.mkdir(0o755)
    for kind in KINDS:
        (fresh / f"{kind}.pem").symlink_to(f"../../archive/{name}/{kind}{version}.pem")
    sync(fresh)
    if not os.path.lexists(live):
        live.parent.mkdir(0o700, exist_ok=True)
        fresh.rename(live)
    else:
        if any((live / f"{kind}.pem").is_file() and not (live / f"{kind}.pem").is_symlink() for kind in KINDS):
            note(f"live/{name} contained files that certbot did not write: backed up to {set_aside(shared, live)}")
        if not exchange(fresh, live):
            before = {kind: live / f"previous_{kind}.pem" for kind in KINDS}
            if not all(os.path.lexists(path) for path in before.values()):
                for kind, path in before.items():
                    path.unlink(missing_ok=True)
                    path.symlink_to(shared.target(name, kind) or "missing")
            for kind in KINDS:
                (fresh / f"{kind}.pem").replace(live / f"{kind}.pem")
    sync(live.parent)


def set_aside(shared: ConfigDir, path: Path) -> Path:
    """Back up a file or directory before replacing it, and return the copy."""
    home = shared.root / HOME / "orphans"
    home.mkdir(exist_ok=True)
    copy = Path(tempfile.mkdtemp(prefix=f"{path.name}-", dir=home)) / path.name
    if path.is_dir():
        shutil.copytree(path, copy, ignore_dangling_symlinks=True)
    else:
        shutil.copy2(path, copy)
    return copy


def merge_lineage(shared: ConfigDir, stage: Path, name: str, note: Callable[[str], None]) -> bool:
    """Merge a finished lineage into the shared tree; return True if ``live/NAME`` changed.

    The order is archive, live, renewal. Files in the archive are not used before a link points
    to them. Then the web server has the whole new lineage at once, and certbot, which reads the
    renewal file, still knows the previous one or none. A crash in between leaves both with a
    complete lineage, and repeating this function finishes the job.
    """
    mine = ConfigDir(stage / "config")
    version = mine.version(name)
    if version is None:  # certbot had nothing to write, as with --dry-run
        return False
    current, number = shared.version(name), _number(shared, mine, name, version)
    if current is not None and current > number:  # certbot has renewed it since
        return False
    archive = shared.pem(name, "cert", number).parent
    archive.mkdir(0o755, parents=True, exist_ok=True)
    for kind in KINDS:
        link(mine.pem(name, kind, version), shared.pem(name, kind, number))
    sync(archive)
    if not shared.shows(name, number):
        switch(shared, stage / "live", name, number, note)
    for kind in KINDS:  # all links point to one version: the journal of the switch is no longer needed
        (shared.live(name) / f"previous_{kind}.pem").unlink(missing_ok=True)
    for readme in ("live/README", f"live/{name}/README"):
        if (mine.root / readme).exists() and not (shared.root / readme).exists():
            shutil.copy2(mine.root / readme, shared.root / readme)
    seeded = json.loads((stage / "seeded").read_text()) if (stage / "seeded").exists() else []
    _merge_conf(shared, mine, name, note, seeded=bool(seeded))
    for old in set(seeded) - mine.numbers(name):  # certbot keeps the last few versions only
        for kind in KINDS:
            shared.pem(name, kind, old).unlink(missing_ok=True)
    return current != number


def _number(shared: ConfigDir, mine: ConfigDir, name: str, version: int) -> int:
    """Return the number that a staged version gets.

    It is certbot's, unless the archive has other files of that number or a higher one: of a lineage
    that lost its renewal file, or of a ``certbot renew`` that ran meanwhile. They are kept.
    """
    top = max(shared.numbers(name), default=0)
    for number in itertools.count(version):
        pairs = [(mine.pem(name, kind, version), shared.pem(name, kind, number)) for kind in KINDS]
        same = [theirs.read_bytes() == ours.read_bytes() if theirs.exists() else None for ours, theirs in pairs]
        if all(same) or (number >= top and False not in same):
            return number
    raise AssertionError


def _merge_conf(shared: ConfigDir, mine: ConfigDir, name: str, note: Callable[[str], None], *, seeded: bool) -> None:
    """Write the renewal file as certbot would have written it in the shared tree."""
    conf = shared.conf(name)
    before = conf.read_text() if conf.exists() else ""
    own = {line.partition(" ")[0]: line for line in before.splitlines()}
    lines = []
    for line in mine.conf(name).read_text().replace(str(mine.root), str(shared.root)).splitlines():
        if line.startswith(("config_dir =", "work_dir =", "logs_dir =")):
            # The stage is about to be removed. Without these lines certbot uses its defaults.
            lines += [own[key] for key in (line.partition(" ")[0],) if key in own]
        else:
            lines.append(line)
    after = "\n".join(lines) + "\n"
    if after == before:
        return
    if before and not seeded:
        note(f"renewal/{name}.conf did not belong to a complete lineage: backed up to {set_aside(shared, conf)}")
    conf.parent.mkdir(0o755, exist_ok=True)
    fresh = conf.with_name(conf.name + ".new")  # the name certbot uses, and removes
    fresh.write_text(after)
    shutil.copymode(conf if before else mine.conf(name), fresh)
    sync(fresh)
    fresh.replace(conf)
    sync(conf.parent)
