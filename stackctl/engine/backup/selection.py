"""Select the files of a stack that cannot be recreated, and list what must be backed up by other means."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from stackctl.adapters.disk.files import host_errors, read_or_none
from stackctl.certs.dummy import is_dummy
from stackctl.certs.issuer.exports import RECORD
from stackctl.certs.lineage import read_certificate
from stackctl.errors import HostError, StackfileError
from stackctl.model.layout import (
    CA,
    CERTBOT,
    CERTBOT_CONF,
    CERTS,
    DNS,
    DNS_ZONES,
    DOCKERIGNORE,
    EXPORTS,
    FULLCHAIN,
    GITIGNORE,
    HISTORY,
    LEDGER,
    LOCAL_ISSUER,
    METRICS,
    PAIRS_OF_LINEAGES,
    PRIVKEY,
    WATCH,
)
from stackctl.proxies.registry import layouts
from stackctl.reading import read_regular
from stackctl.stackfile.document import Document
from stackctl.stackfile.locate import DOT_ENV, ComposeFiles
from stackctl.stackfile.siblings import siblings, valued


def trees() -> tuple[str, ...]:
    """Return the folders that a backup holds as a whole."""
    return (*(layout.custom for layout in layouts()), CERTBOT_CONF.path, CA.path, HISTORY)


def _own_mounts() -> tuple[str, ...]:
    """Return the folders below which a mount needs no note."""
    return (*(layout.directory for layout in layouts()), CERTS, CA.path, CERTBOT, DNS.path, METRICS.path, WATCH.path)


@dataclass
class Selection:
    """The files to back up.

    Attributes:
        paths: files and directories below the stack's directory.
        left_out: what the stack needs and a backup does not contain: volumes, images, mounted paths.
        notes: files that the user might expect in the archive, and why they are not.
    """

    paths: set[str] = field(default_factory=set)
    left_out: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


Values = Callable[[Sequence[str]], Sequence[str]]
"""Returns texts with the values of their variables."""


def select(files: ComposeFiles, values: Values, *, sealed: bool = False) -> Selection:
    """Return the selection for a backup of the stack; ``values`` are those that Compose gives variables.

    The key of the stack's own CA is only in an archive that is encrypted (``sealed``): developers trust that CA.

    Raises:
        HostError: the Compose file itself is not in the stack's directory.
    """
    root, found = files.directory, Selection()
    if _inside(root, files.main) is None:
        raise HostError(f"{files.main} is not in the stack's directory", hint="back it up where it is")
    with host_errors():
        for path in (*trees(), LEDGER, DOT_ENV, GITIGNORE, DOCKERIGNORE):
            if os.path.lexists(root / path):
                found.paths.add(path)
        if not sealed and os.path.lexists(root / LOCAL_ISSUER.path):
            found.paths |= _around(root, CA.path, LOCAL_ISSUER.path)
            found.paths.remove(CA.path)
            found.notes.append(
                f"{LOCAL_ISSUER.path} is not in the archive, which is not encrypted: it is the key of the local CA"
            )
        _credentials(root, found, sealed=sealed)
        found.paths |= {f"{CERTS}/{name}" for name in _imported(root / CERTS)}
        found.paths |= {os.path.relpath(path, root) for path in _copies(root)}
        found.paths |= {os.path.relpath(path, root) for path in (root / EXPORTS.path).glob(f"*/{RECORD}")}
        seen: set[Path] = set()
        for main in (files.main, *files.others):
            _follow(root, main, files.project, found, seen, values)
    return found


def _credentials(root: Path, found: Selection, *, sealed: bool) -> None:
    """Add the credentials of DNS providers to an archive that is encrypted, or a note about each."""
    folder = root / DNS.path
    names = sorted(path.name for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    paths = [f"{DNS.path}/{name}" for name in names if f"{DNS.path}/{name}" != DNS_ZONES.path]
    if sealed:
        found.paths |= {*paths, *([DNS.path] if paths else [])}
    else:
        found.notes += [
            f"{path} is not in the archive, which is not encrypted: store it again after a restore, "
            "with 'stackctl dns add'"
            for path in paths
        ]


def _around(root: Path, tree: str, left_out: str) -> set[str]:
    """Return the paths that hold all of ``tree`` except ``left_out``."""
    below = {os.path.relpath(path, root) for path in (root / tree).iterdir()} - {left_out}
    inner = next((path for path in below if Path(left_out).is_relative_to(path)), None)
    return below if inner is None else below - {inner} | _around(root, inner, left_out)


def _imported(folder: Path) -> list[str]:
    """Return the names of imported certificates below ``data/certs``: those that are not dummies."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if not _is_dummy(entry))


def _copies(root: Path) -> Iterator[Path]:
    """Yield the copies of lineages that the proxy reads: one can be all that is left of a certificate."""
    folder = root / PAIRS_OF_LINEAGES.path
    if folder.is_dir():
        yield folder
        yield from (link.parent / link.readlink() for link in folder.iterdir() if link.is_symlink() and link.is_dir())


def _is_dummy(folder: Path) -> bool:
    """Return whether ``folder`` contains a dummy, or an incomplete one after a crash: both are recreated."""
    chain = read_or_none(folder / FULLCHAIN)
    if chain is None:
        return folder.is_dir() and {path.name for path in folder.iterdir()} <= {PRIVKEY}
    try:
        return is_dummy(read_certificate(chain))
    except ValueError:
        return False


def _named(root: Path, file: Path) -> str:
    return str(file.relative_to(root) if file.is_relative_to(root) else file)


def _follow(  # noqa: PLR0913  (a place, a file, and what was found so far)
    root: Path, file: Path, base: Path, found: Selection, seen: set[Path], values: Values
) -> None:
    """Add a Compose file and the files it names, each once; paths in it are relative to ``base``, where ``.env`` is."""
    if file in seen or not _take(root, file, found, file.name):
        return
    seen.add(file)
    if (base / DOT_ENV).is_file():
        _take(root, base / DOT_ENV, found, DOT_ENV)
    try:
        data = Document.parse(read_regular(file).decode("utf-8"), _named(root, file)).data()
    except (UnicodeDecodeError, StackfileError):
        found.notes.append(f"{_named(root, file)} cannot be read as YAML: files that it names are not in the archive")
        return
    named = siblings(valued(data, values))
    for path in named.read:
        _take(root, base / path, found, path)
    for path in (*named.pages, *named.certificates):
        _take(root, root / path, found, path)
    for path in named.compose:
        if "$" in path or "://" in path or path.startswith("git@"):
            why = "its name contains a variable" if "$" in path else "it is not a path in this directory"
            found.notes.append(f"{path} is not in the archive: {why}")
        else:
            other = Path(os.path.normpath(base / path))
            # An included file can have variables of its own, which Compose does not tell.
            _follow(root, other, other.parent, found, seen, tuple)
    found.left_out |= {f"the volume {name}": None for name in named.volumes}
    found.left_out |= {f"the image that {name} builds from {context}": None for context, name in named.builds}
    for path, name in named.mounts:
        inside = _inside(root, base / path) or ""
        if not any(Path(inside).is_relative_to(own) for own in _own_mounts()):
            found.left_out[f"{path}, mounted by {name}"] = None


def _take(root: Path, path: Path, found: Selection, shown: str) -> bool:
    """Add a file if it exists below the stack's directory, and return whether it was added."""
    inside = _inside(root, path)
    if "$" in shown or inside is None:
        why = "its name contains a variable" if "$" in shown else "it is outside the stack's directory"
        found.notes.append(f"{shown} is not in the archive: {why}")
        return False
    if not os.path.lexists(path):
        return False
    found.paths.add(inside)
    return True


def _inside(root: Path, path: Path) -> str | None:
    """Return ``path`` relative to ``root``, or None if it is outside; links are resolved later."""
    relative = os.path.relpath(path, root)
    return None if relative == "." or relative.split("/")[0] == ".." else relative
