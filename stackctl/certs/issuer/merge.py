"""How a certbot lineage gets out of the shared tree and back in again, whole at every moment.

A part of the batch issuer (see :mod:`stackctl.certs.issuer`): it runs in the certbot container, with
nothing but the standard library of Python 3.9 or later, and knows certbot's files but not certbot.
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

if TYPE_CHECKING:
    from collections.abc import Callable

KINDS = ("cert", "chain", "privkey", "fullchain")
HOME = ".stackctl-issuer"


class ElsewhereError(Exception):
    """The files of a lineage are not where certbot puts them by default: it cannot be staged."""


class Tree:
    """A configuration directory of certbot's: ``archive``, ``live``, ``renewal`` and ``accounts``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def conf(self, name: str) -> Path:
        """The renewal file of a lineage."""
        return self.root / "renewal" / f"{name}.conf"

    def live(self, name: str) -> Path:
        """The directory the web server reads."""
        return self.root / "live" / name

    def pem(self, name: str, kind: str, version: int) -> Path:
        """One file of one version of a lineage."""
        return self.root / "archive" / name / f"{kind}{version}.pem"

    def accounts(self, server: str) -> Path:
        """Where certbot keeps the accounts of one CA."""
        return self.root / "accounts" / server.partition("://")[2]

    def target(self, name: str, kind: str) -> Path | None:
        """Where a link of ``live/NAME`` leads, as far as it leads anywhere."""
        link = self.live(name) / f"{kind}.pem"
        return link.readlink() if link.is_symlink() and link.exists() else None

    def shows(self, name: str, version: int) -> bool:
        """Whether all four links lead to this version."""
        return all(self.target(name, k) == Path(f"../../archive/{name}/{k}{version}.pem") for k in KINDS)

    def version(self, name: str) -> int | None:
        """The version which all four links agree on."""
        found = re.search(r"(\d+)\.pem$", str(self.target(name, "cert")))
        version = int(found[1]) if found else 0
        targets = [getattr(self.target(name, kind), "name", None) for kind in KINDS]
        return version if targets == [f"{kind}{version}.pem" for kind in KINDS] else None

    def numbers(self, name: str, kind: str = r"\w+?") -> set[int]:
        """The versions in the archive which have a file of this kind."""
        with contextlib.suppress(OSError):
            files = (self.root / "archive" / name).iterdir()
            return {int(m[1]) for m in (re.fullmatch(rf"{kind}(\d+)\.pem", f.name) for f in files) if m}
        return set()


def sync(path: Path) -> None:
    """Put a file or the entries of a directory on the disk."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def link(source: str | Path, target: str | Path) -> None:
    """A second name for a file: same owner, mode and inode; a copy where the disk has no links."""
    target = Path(target)
    if target.exists():
        return
    target.unlink(missing_ok=True)  # a link that leads nowhere
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        part = Path(f"{target}.part")
        part.unlink(missing_ok=True)
        shutil.copy2(source, part, follow_symlinks=False)
        part.replace(target)


def intact(shared: Tree, name: str, version: int) -> bool:
    """Whether the archive has all four files of a version, none of them cut short."""
    for kind in KINDS:
        try:
            content = (shared.root / "archive" / name / f"{kind}{version}.pem").read_bytes()
        except OSError:
            return False
        if not content or content.count(b"-----BEGIN ") != content.count(b"-----END "):
            return False
    return True


def seed(shared: Tree, mine: Tree, name: str) -> bool:
    """Copy a lineage, so that certbot renews it and counts on. False: there is none worth copying.

    The links are made from the archive: where ``live/NAME`` was lost or half switched, certbot sees
    a whole lineage, keeps what is valid, and adoption brings the links back without a new order.
    """
    conf = shared.conf(name)
    head, rest, params = (conf.read_text() if conf.exists() else "").partition("\n[")
    if not re.search(r"^server *= *\S", params, re.MULTILINE):
        return False  # cut short: certbot would take no notice of it, and make a NAME-0001
    paths = dict(re.findall(r"^(\w+) *= *(.*?) *$", head, re.MULTILINE))
    home = {"archive_dir": str(shared.root / "archive" / name)}
    home.update({kind: str(shared.live(name) / f"{kind}.pem") for kind in KINDS})
    if any(paths.get(key, path) != path for key, path in home.items()):
        raise ElsewhereError(f"{conf} names files outside of {shared.root}/live/{name} and archive/{name}")
    whole = {number for number in shared.numbers(name, "cert") if intact(shared, name, number)}
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
    # certbot has only its five paths before the first section.
    mine.conf(name).write_text(head.replace(f"= {shared.root}/", f"= {mine.root}/") + rest + params)
    shutil.copymode(conf, mine.conf(name))
    (mine.root.parent / "seeded").write_text(json.dumps(sorted(shared.numbers(name))))
    return True


def exchange(one: Path, other: Path) -> bool:
    """Swap two directories in one step (renameat2). False where the system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (-100, os.fsencode(one), -100, os.fsencode(other), 2)  # AT_FDCWD, RENAME_EXCHANGE
    if hasattr(libc, "renameat2"):
        return bool(libc.renameat2(*names) == 0)
    # musl has had no such function for long, but the kernel has the call (since 3.15).
    number = {"x86_64": 316, "aarch64": 276}.get(platform.machine())
    return number is not None and bool(libc.syscall(ctypes.c_long(number), *names) == 0)


def show(shared: Tree, fresh: Path, name: str, version: int, note: Callable[[str], None]) -> None:
    """Let ``live/NAME`` show a version.

    Four links switched one by one leave a moment when key and chain do not match, and a reload or a
    crash may hit it. So the directory is built anew and swapped in by one rename. Where two
    directories cannot be swapped, the links are switched one by one under certbot's own journal
    (``previous_*.pem``): any certbot command rolls such a half switch back, and our next run
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
            note(f"live/{name} held files that are not certbot's: kept in {aside(shared, live)}")
        if not exchange(fresh, live):
            before = {kind: live / f"previous_{kind}.pem" for kind in KINDS}
            if not all(os.path.lexists(path) for path in before.values()):
                for kind, path in before.items():
                    path.unlink(missing_ok=True)
                    path.symlink_to(shared.target(name, kind) or "missing")
            for kind in KINDS:
                (fresh / f"{kind}.pem").replace(live / f"{kind}.pem")
    sync(live.parent)


def aside(shared: Tree, path: Path) -> Path:
    """Keep a copy of something that is about to be replaced and may be dear to somebody."""
    home = shared.root / HOME / "orphans"
    home.mkdir(exist_ok=True)
    copy = Path(tempfile.mkdtemp(prefix=f"{path.name}-", dir=home)) / path.name
    if path.is_dir():
        shutil.copytree(path, copy, ignore_dangling_symlinks=True)
    else:
        shutil.copy2(path, copy)
    return copy


def adopt(shared: Tree, stage: Path, name: str, note: Callable[[str], None]) -> bool:
    """Bring a finished lineage into the shared tree. True if ``live/NAME`` shows another one now.

    The order is archive, live, renewal. Files in the archive are seen by nobody before a link leads
    to them. Then the web server has the whole new lineage at once, and certbot, which goes by the
    renewal file, still knows the earlier one or none. A crash in between leaves both with something
    whole, and repeating this function finishes the job.
    """
    mine = Tree(stage / "config")
    version = mine.version(name)
    if version is None:  # certbot had nothing to write, as with --dry-run
        return False
    current, number = shared.version(name), _number(shared, mine, name, version)
    if current is not None and current > number:  # certbot itself has renewed it since
        return False
    archive = shared.pem(name, "cert", number).parent
    archive.mkdir(0o755, parents=True, exist_ok=True)
    for kind in KINDS:
        link(mine.pem(name, kind, version), shared.pem(name, kind, number))
    sync(archive)
    if not shared.shows(name, number):
        show(shared, stage / "live", name, number, note)
    for kind in KINDS:  # all links lead to one version: the journal of the switch is done with
        (shared.live(name) / f"previous_{kind}.pem").unlink(missing_ok=True)
    for readme in ("live/README", f"live/{name}/README"):
        if (mine.root / readme).exists() and not (shared.root / readme).exists():
            shutil.copy2(mine.root / readme, shared.root / readme)
    seeded = json.loads((stage / "seeded").read_text()) if (stage / "seeded").exists() else []
    _adopt_conf(shared, mine, name, note, seeded=bool(seeded))
    for old in set(seeded) - mine.numbers(name):  # certbot keeps the last few versions only
        for kind in KINDS:
            shared.pem(name, kind, old).unlink(missing_ok=True)
    return current != number


def _number(shared: Tree, mine: Tree, name: str, version: int) -> int:
    """The number a staged version gets.

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


def _adopt_conf(shared: Tree, mine: Tree, name: str, note: Callable[[str], None], *, seeded: bool) -> None:
    """Write the renewal file as certbot would have written it in the shared tree."""
    conf = shared.conf(name)
    before = conf.read_text() if conf.exists() else ""
    own = {line.partition(" ")[0]: line for line in before.splitlines()}
    lines = []
    for line in mine.conf(name).read_text().replace(str(mine.root), str(shared.root)).splitlines():
        if line.startswith(("config_dir =", "work_dir =", "logs_dir =")):
            # Ours are gone in a moment. Without these lines certbot takes its defaults.
            lines += [own[key] for key in (line.partition(" ")[0],) if key in own]
        else:
            lines.append(line)
    after = "\n".join(lines) + "\n"
    if after == before:
        return
    if before and not seeded:
        note(f"renewal/{name}.conf led to no whole lineage: kept in {aside(shared, conf)}")
    conf.parent.mkdir(0o755, exist_ok=True)
    fresh = conf.with_name(conf.name + ".new")  # the name certbot uses, and removes
    fresh.write_text(after)
    shutil.copymode(conf if before else mine.conf(name), fresh)
    sync(fresh)
    fresh.replace(conf)
    sync(conf.parent)
