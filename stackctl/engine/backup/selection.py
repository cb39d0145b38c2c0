"""What of a stack's directory cannot be made again, and what is left to others to keep."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from stackctl.adapters.disk.files import host_errors, read_or_none
from stackctl.certs.dummy import is_dummy
from stackctl.certs.lineage import read_certificate
from stackctl.errors import HostError, StackfileError
from stackctl.model.layout import CA, CERTBOT, CERTBOT_CONF, CERTS, FULLCHAIN, HISTORY, LEDGER, PRIVKEY
from stackctl.proxies.registry import layouts
from stackctl.stackfile.document import Document
from stackctl.stackfile.locate import ComposeFiles
from stackctl.stackfile.siblings import siblings


def trees() -> tuple[str, ...]:
    """Return the folders that a backup holds as a whole."""
    return (*(layout.custom for layout in layouts()), CERTBOT_CONF.path, CA.path, HISTORY)


def _own_mounts() -> tuple[str, ...]:
    """Return the folders below which a mount needs no note."""
    return (*(layout.directory for layout in layouts()), CERTS.path, CA.path, CERTBOT)


@dataclass
class Selection:
    """What is to be kept.

    Attributes:
        paths: files and folders below the stack's directory.
        left_out: what the stack needs besides and somebody else keeps: volumes, images, mounted paths.
        notes: what a person might expect to be in, and is not.
    """

    paths: set[str] = field(default_factory=set)
    left_out: dict[str, None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def select(files: ComposeFiles) -> Selection:
    """What a backup of the stack holds.

    Raises:
        HostError: the Compose file itself is not in the stack's directory.
    """
    root, found = files.directory, Selection()
    if _inside(root, files.main) is None:
        raise HostError(f"{files.main} is not in the stack's directory", hint="back it up where it is")
    with host_errors():
        for path in (*trees(), LEDGER, ".env"):
            if os.path.lexists(root / path):
                found.paths.add(path)
        found.paths |= {(CERTS / name).path for name in _imported(root / CERTS.path)}
        seen: set[Path] = set()
        for main in (files.main, *files.others):
            _follow(root, main, found, seen)
    return found


def _imported(folder: Path) -> list[str]:
    """Certificates below ``data/certs`` that are no dummies: a person's own."""
    if not folder.is_dir():
        return []
    return sorted(entry.name for entry in folder.iterdir() if not _is_dummy(entry))


def _is_dummy(folder: Path) -> bool:
    """Whether ``folder`` holds a dummy, or half of one that a crash left: both are made again."""
    chain = read_or_none(folder / FULLCHAIN)
    if chain is None:
        return folder.is_dir() and {path.name for path in folder.iterdir()} <= {PRIVKEY}
    try:
        return is_dummy(read_certificate(chain))
    except ValueError:
        return False


def _follow(root: Path, file: Path, found: Selection, seen: set[Path]) -> None:
    """Take in a Compose file and what it names, each once."""
    if file in seen or not _take(root, file, found, file.name):
        return
    seen.add(file)
    try:
        data = Document.parse(file.read_text(encoding="utf-8"), file.name).data()
    except (UnicodeDecodeError, StackfileError):
        found.notes.append(f"{file.name} cannot be read as YAML: files that it names are not in the archive")
        return
    named = siblings(data)
    for path in named.read:
        _take(root, file.parent / path, found, path)
    for path in named.compose:
        if "$" in path or "://" in path or path.startswith("git@"):
            found.notes.append(f"{path} is not in the archive: it is no path of this directory")
        else:
            _follow(root, Path(os.path.normpath(file.parent / path)), found, seen)
    found.left_out |= {f"the volume {name}": None for name in named.volumes}
    found.left_out |= {f"the image that {name} builds from {context}": None for context, name in named.builds}
    for path, name in named.mounts:
        inside = _inside(root, file.parent / path) or ""
        if not any(Path(inside).is_relative_to(own) for own in _own_mounts()):
            found.left_out[f"{path}, mounted by {name}"] = None


def _take(root: Path, path: Path, found: Selection, shown: str) -> bool:
    """Add a file, if it is there and below the stack's directory."""
    inside = _inside(root, path)
    if "$" in shown or inside is None:
        why = "its name holds a variable" if "$" in shown else "it is outside of the stack's directory"
        found.notes.append(f"{shown} is not in the archive: {why}")
        return False
    if not os.path.lexists(path):
        return False
    found.paths.add(inside)
    return True


def _inside(root: Path, path: Path) -> str | None:
    """``path`` relative to ``root``, by its words: links are looked at later."""
    relative = os.path.relpath(path, root)
    return None if relative == "." or relative.split("/")[0] == ".." else relative
