"""Keep copies of certificates fresh for other software, such as a mail server: one folder for each certificate.

    STAMPS/exports/NAME/          made by ``stackctl cert export --keep-fresh``; to stop, delete it
        .certificate              which certificate it is of
        privkey.pem fullchain.pem as servers of most kinds want them
        combined.pem              both in one file, the key first: it is always whole

Files belong to the owner of their folder, so the user can give it to the user that such a server runs as. This module
runs on the host and in the certbot container, as :mod:`stackctl.certs.issuer.copies` does.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from typing import TYPE_CHECKING

from stackctl.certs.issuer.pair import PairFiles

if TYPE_CHECKING:
    from pathlib import Path

EXPORTS, RECORD = "exports", ".certificate"
_MOST_RECORDED = 100


def refresh_export(stamps: Path, kind: str, name: str, pair: PairFiles) -> bool:
    """Write the exported files of a certificate, if it is exported and they differ; return whether they did."""
    folder = stamps / EXPORTS / name
    if not folder.is_dir() or recorded(folder) != kind or pair.fullchain is None or pair.privkey is None:
        return False
    key = pair.privkey if pair.privkey.endswith(b"\n") else pair.privkey + b"\n"
    files = {"privkey.pem": pair.privkey, "fullchain.pem": pair.fullchain, "combined.pem": key + pair.fullchain}
    differing = [file for file, content in files.items() if _content(folder / file) != content]
    for file in differing:
        write_export(folder / file, files[file])
    return bool(differing)


def recorded(folder: Path) -> str | None:
    """Return which kind of certificate a folder is an export of; None for a folder of somebody else."""
    content = _content(folder / RECORD)
    return None if content is None else content[:_MOST_RECORDED].decode("utf-8", "replace").strip()


def write_export(path: Path, content: bytes) -> None:
    """Replace a file that only its owner can read, who is the owner of the folder, in one rename."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}.tmp")
    owner = path.parent.stat()
    try:
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            with contextlib.suppress(PermissionError):
                os.fchown(descriptor, owner.st_uid, owner.st_gid)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        draft.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            draft.unlink()
        raise


def _content(path: Path) -> bytes | None:
    try:
        return None if path.is_symlink() or not path.is_file() else path.read_bytes()
    except OSError:
        return None
