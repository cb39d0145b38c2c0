"""The stores of trusted root certificates on this host: the system's, and the NSS databases of browsers."""

from __future__ import annotations

import os
import platform
import pwd
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stackctl.adapters.disk.files import host_errors, read_or_none, write_whole
from stackctl.errors import HostError

TRUSTED, MISSING, REMOVED, FAILED = "trusted", "not trusted", "removed", "not done"
_SECONDS = 120.0
_SBIN = "/usr/local/sbin:/usr/sbin:/sbin"
_DATABASES = (
    ".pki/nssdb",
    "snap/chromium/current/.pki/nssdb",
    ".mozilla/firefox/*",
    "snap/firefox/common/.mozilla/firefox/*",
    ".var/app/org.mozilla.firefox/.mozilla/firefox/*",
    ".config/mozilla/firefox/*",
)
_CERTUTIL = "install certutil (libnss3-tools on Debian and Ubuntu, nss-tools on Fedora, nss on Arch)"


@dataclass(frozen=True, slots=True)
class Root:
    """A root certificate as stores hold it.

    Attributes:
        label: its name in stores; a later root of the same stack has the same.
        path: where it is on disk.
    """

    label: str
    pem: bytes
    path: Path


@dataclass(frozen=True, slots=True)
class StoreState:
    """What one store holds, and what the user has to do where a command could not change it."""

    store: str
    state: str
    todo: str | None = None


@dataclass(frozen=True, slots=True)
class SystemStore:
    """The store of one kind of distribution: a folder for further roots, and the command that makes bundles of them.

    Attributes:
        conf: Debian's list of roots, in which one that is not wanted has a ``!``.
    """

    folder: Path
    ending: str
    command: tuple[str, ...]
    bundle: Path
    conf: Path | None = None


SYSTEMS = (
    SystemStore(
        Path("/usr/local/share/ca-certificates"),
        ".crt",
        ("update-ca-certificates",),
        Path("/etc/ssl/certs/ca-certificates.crt"),
        Path("/etc/ca-certificates.conf"),
    ),
    SystemStore(
        Path("/etc/pki/ca-trust/source/anchors"),
        ".pem",
        ("update-ca-trust", "extract"),
        Path("/etc/pki/tls/certs/ca-bundle.crt"),
    ),
    SystemStore(
        Path("/etc/ca-certificates/trust-source/anchors"),
        ".crt",
        ("trust", "extract-compat"),
        Path("/etc/ssl/certs/ca-certificates.crt"),
    ),
    SystemStore(
        Path("/usr/share/pki/trust/anchors"), ".pem", ("update-ca-certificates",), Path("/etc/ssl/ca-bundle.pem")
    ),
)
"""Debian and Ubuntu, Fedora, Arch, openSUSE."""


class TrustStores:
    """The stores of one user of this host.

    ``systems`` are the kinds of system stores that are looked for, ``homes`` the folders below which browsers are.
    """

    def __init__(self, systems: Sequence[SystemStore] = SYSTEMS, homes: Sequence[Path] | None = None) -> None:
        self._systems = systems
        self._homes = tuple(homes) if homes is not None else (_home(),)

    def system_bundle(self) -> bytes | None:
        """Return the roots that programs of this host trust, as PEM, or None."""
        with host_errors():
            found = (read_or_none(store.bundle) for store in self._systems)
            return next((content for content in found if content), None)

    def look(self, root: Root) -> list[StoreState]:
        """Return the state of each store."""
        return [*self._each(lambda store: _held(store, root), lambda database: _nss_held(database, root))]

    def add(self, root: Root) -> list[StoreState]:
        """Make each store trust a root, in the place of an earlier one of the same label. Idempotent."""
        return [*self._each(lambda store: _add(store, root), lambda database: _nss_add(database, root))]

    def remove(self, root: Root) -> list[StoreState]:
        """Remove a root, and earlier ones of the same label, from each store. Idempotent."""
        return [*self._each(lambda store: _remove(store, root), lambda database: _nss_remove(database, root))]

    def _each(
        self, system: Callable[[SystemStore], StoreState], nss: Callable[[Path], StoreState]
    ) -> Iterator[StoreState]:
        store = next((one for one in self._systems if one.folder.is_dir() and _program(one.command[0])), None)
        if store is not None:
            yield system(store)
        for database in self._databases():
            yield nss(database)

    def _databases(self) -> list[Path]:
        found = (path for home in self._homes for pattern in _DATABASES for path in sorted(home.glob(pattern)))
        return [path for path in found if (path / "cert9.db").is_file()]


def other_systems(root: Path, *, remove: bool = False) -> list[str]:
    """Return the commands for stores that cannot be changed from here: of macOS, or of Windows around WSL."""
    file = shlex.quote(str(root))
    if sys.platform == "darwin":
        if remove:
            return [f"sudo security remove-trusted-cert -d {file}"]
        return [f"sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain {file}"]
    if "microsoft" in platform.uname().release.lower():
        if remove:
            return ["certutil.exe -user -delstore Root 'stackctl local CA'"]
        return [f'certutil.exe -user -addstore Root "$(wslpath -w {file})"']
    return []


def _home() -> Path:
    """Return the home of the user who runs the browsers, also below sudo."""
    name = os.environ.get("SUDO_USER", "") if os.geteuid() == 0 else ""
    try:
        return Path(pwd.getpwnam(name).pw_dir) if name else Path.home()
    except (KeyError, RuntimeError):
        return Path("/root")


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_SBIN}")


def _run(command: Sequence[str], stdin: bytes = b"") -> tuple[int, str]:
    """Run a command, and return its exit code and its output."""
    program = _program(command[0])
    if program is None:
        return 127, f"there is no program {command[0]}"
    try:
        done = subprocess.run(  # noqa: S603  (an argument list)
            [program, *command[1:]],
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return 126, str(error)
    return done.returncode, done.stdout.decode("utf-8", "replace").strip()


# The system's store


def _file(store: SystemStore, root: Root) -> Path:
    return store.folder / f"{root.label}{store.ending}"


def _held(store: SystemStore, root: Root) -> StoreState:
    with host_errors():
        there = read_or_none(_file(store, root)) == root.pem and root.pem in (read_or_none(store.bundle) or b"")
    return StoreState(str(store.folder), TRUSTED if there else MISSING)


def _add(store: SystemStore, root: Root) -> StoreState:
    place, file = str(store.folder), _file(store, root)
    if _held(store, root).state == TRUSTED:
        return StoreState(place, TRUSTED)
    if not os.access(store.folder, os.W_OK):
        update = shlex.join(("sudo", *store.command))
        todo = f"sudo install -m 644 {shlex.quote(str(root.path))} {shlex.quote(str(file))} && {update}"
        return StoreState(place, FAILED, todo)
    with host_errors():
        write_whole(file, root.pem)
    return _updated(store, TRUSTED)


def _remove(store: SystemStore, root: Root) -> StoreState:
    place = str(store.folder)
    with host_errors():
        mine = [path for path in sorted(store.folder.glob(f"stackctl-*{store.ending}")) if _is(path, store, root)]
        if not mine:
            return StoreState(place, MISSING)
        if not os.access(store.folder, os.W_OK):
            update = shlex.join(("sudo", *store.command))
            return StoreState(place, FAILED, f"sudo rm {shlex.join(map(str, mine))} && {update}")
        for path in mine:
            path.unlink()
        if store.conf is not None and store.conf.is_file():
            _forget(store, store.conf, mine)
    return _updated(store, REMOVED)


def _forget(store: SystemStore, conf: Path, files: Sequence[Path]) -> None:
    """Let Debian's command remove its links to ``files``, and tell Java's store: a file that is gone tells it nothing.

    Only a root that its list calls unwanted is removed so; others' commands may not know the option.
    """
    with tempfile.NamedTemporaryFile(suffix=".conf") as listed:
        listed.write(conf.read_bytes() + b"".join(b"\n!" + os.fsencode(path.name) for path in files) + b"\n")
        listed.flush()
        _run((*store.command, "--certsconf", listed.name))


def _is(path: Path, store: SystemStore, root: Root) -> bool:
    return path == _file(store, root) or (bool(root.pem) and read_or_none(path) == root.pem)


def _updated(store: SystemStore, state: str) -> StoreState:
    code, output = _run(store.command)
    if code:
        raise HostError(f"{shlex.join(store.command)} failed: {output}", hint="run it yourself as root")
    return StoreState(str(store.folder), state)


# The databases of browsers


def _nss(database: Path, *options: str, stdin: bytes = b"") -> tuple[int, str]:
    return _run(("certutil", *options, "-d", f"sql:{database}"), stdin)


def _nss_held(database: Path, root: Root) -> StoreState:
    if _program("certutil") is None:
        return StoreState(str(database), FAILED, f"{_CERTUTIL}, then run the same command again")
    return StoreState(str(database), TRUSTED if _nss_content(database, root) == [root.pem.strip()] else MISSING)


def _nss_content(database: Path, root: Root) -> list[bytes]:
    """Return the certificates of the label."""
    code, output = _nss(database, "-L", "-a", "-n", root.label)
    lines = [line.strip() for line in output.splitlines()]
    return [] if code else ["\n".join(lines).strip().encode()]


def _nss_add(database: Path, root: Root) -> StoreState:
    found = _nss_held(database, root)
    if found.state != MISSING:
        return found
    removed = _nss_remove(database, root)
    if removed.state == FAILED:
        return removed
    code, output = _nss(database, "-A", "-a", "-n", root.label, "-t", "C,,", stdin=root.pem)
    return StoreState(str(database), TRUSTED) if not code else StoreState(str(database), FAILED, output)


def _nss_remove(database: Path, root: Root) -> StoreState:
    if _program("certutil") is None:
        return StoreState(str(database), FAILED, f"{_CERTUTIL}, then run the same command again")
    state = MISSING
    while _nss_content(database, root):
        code, output = _nss(database, "-D", "-n", root.label)
        if code:
            return StoreState(str(database), FAILED, output)
        state = REMOVED
    return StoreState(str(database), state)
