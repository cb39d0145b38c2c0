"""The fixture as it is stored, and as it is laid out again: the same directory with other keys.

``tests/fixtures/old_stack/`` holds ``files/``, the regular files of the stack that are no key and no
certificate; ``tree.json``, all that a file's content does not say; and ``archive.json``, the manifest of
a backup of that stack. Keys and certificates are made at each layout, and so texts that quote their
fingerprints are changed; so are the proxy's address and the CA's, which a test chooses.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes

from tests.old_stack.authority import Authority, account_key

FIXTURE = Path(__file__).resolve().parents[1] / "fixtures/old_stack"
FILES = FIXTURE / "files"

SECRET = re.compile(rb'PRIVATE KEY|BEGIN CERTIFICATE|"d": ?"')
"""What no file of the fixture contains: a key in PEM or as a JSON Web Key, or a certificate."""


class Stored(msgspec.Struct, frozen=True):
    """A certificate of the stack: its names, what it was called by its fingerprint, and the file of each part."""

    names: list[str]
    fingerprint: str
    dummy: bool
    files: dict[str, str]


class Tree(msgspec.Struct, frozen=True):
    """``tree.json``.

    Attributes:
        made: when the stack was recorded, by the version and commit next to it.
        ca: the host and port of the CA's ACME directory.
        modes: of every folder and regular file, in octal digits.
        folders: every folder.
        links: the target of every symbolic link.
        same: hard links: the file, and the one it is the same as.
        accounts: keys of ACME accounts.
        bundle: the copy of the CA's bundle.
    """

    made: datetime
    version: str
    commit: str
    project: str
    address: str
    ca: str
    modes: dict[str, str]
    folders: list[str]
    links: dict[str, str]
    same: dict[str, str]
    certificates: list[Stored]
    accounts: list[str]
    bundle: str


def stored() -> Tree:
    """The fixture's ``tree.json``."""
    return msgspec.json.decode((FIXTURE / "tree.json").read_bytes(), type=Tree)


@dataclass
class OldStack:
    """The stack laid out at ``root``, with certificates that are valid at ``now``.

    ``address`` and ``ca`` replace the recorded ones.
    """

    root: Path
    now: datetime
    bundle: bytes = b""
    address: str = ""
    ca: str = ""
    tree: Tree = field(default_factory=stored)

    def __post_init__(self) -> None:
        authority = Authority(self.now)
        self._made: dict[str, bytes] = {}
        self._changes = {self.tree.address: self.address or self.tree.address, self.tree.ca: self.ca or self.tree.ca}
        for one in self.tree.certificates:
            issued = authority.dummy(one.names) if one.dummy else authority.issue(one.names)
            self._changes[one.fingerprint] = issued.leaf.fingerprint(hashes.SHA256()).hex()
            self._made |= {path: issued.files[part] for part, path in one.files.items()}
        self._made |= {path: account_key() for path in self.tree.accounts} | {self.tree.bundle: self.bundle}
        for path in self.tree.folders:
            (self.root / self._changed(path)).mkdir(parents=True, exist_ok=True)
        for path, content in (*self._files(), *self._made.items()):
            (self.root / self._changed(path)).write_bytes(content)
        for path, target in self.tree.links.items():
            (self.root / self._changed(path)).symlink_to(self._changed(target))
        for path, first in self.tree.same.items():
            os.link(self.root / first, self.root / path)
        for path, mode in self.tree.modes.items():
            (self.root / self._changed(path)).chmod(int(mode, 8))

    def _files(self) -> Iterator[tuple[str, bytes]]:
        for file in sorted(path for path in FILES.rglob("*") if path.is_file()):
            yield str(file.relative_to(FILES)), self._changed(file.read_text(encoding="utf-8")).encode()

    def _changed(self, text: str) -> str:
        for before, after in self._changes.items():
            text = text.replace(before, after)
        return text

    @property
    def serials(self) -> dict[str, int]:
        """The serial number of the certificate that each name is served with."""
        found: dict[str, int] = {}
        for file in self.root.glob("data/certbot/conf/live/*/cert.pem"):
            leaf = x509.load_pem_x509_certificate(file.read_bytes())
            names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            found |= dict.fromkeys(names.get_values_for_type(x509.DNSName), leaf.serial_number)
        return found

    def archive(self) -> bytes:
        """The backup that the old version made of this stack."""
        manifest = json.loads((FIXTURE / "archive.json").read_bytes())
        members = {self._changed(path): member for path, member in manifest["files"].items()}
        contents = {path: (self.root / path).read_bytes() for path in members if members[path]["kind"] == "file"}
        return packed({**manifest, "files": members}, contents)


def packed(manifest: Mapping[str, Any], contents: Mapping[str, bytes]) -> bytes:
    """An archive as commit 6c44457 wrote it, of a manifest without sizes and digests."""
    files = {path: _described(member, contents.get(path)) for path, member in sorted(manifest["files"].items())}
    encoded = msgspec.json.format(msgspec.json.encode({**manifest, "files": files}), indent=1) + b"\n"
    made = int(datetime.fromisoformat(manifest["at"]).timestamp())
    into = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=into, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        _add(tar, "manifest.json", {"kind": "file", "mode": "0600", "mtime": made}, encoded)
        for path, member in files.items():
            _add(tar, f"stack/{path}", member, contents.get(path, b""))
        line = f"{hashlib.sha256(encoded).hexdigest()}  manifest.json\n".encode()
        _add(tar, "manifest.sha256", {"kind": "file", "mode": "0600", "mtime": made}, line)
    return into.getvalue()


def _described(member: Mapping[str, Any], content: bytes | None) -> dict[str, Any]:
    target = {"target": member["target"]} if "target" in member else {}
    rest = {key: value for key, value in member.items() if key != "target"}
    if content is None:
        return {**rest, **target}
    size = {"size": len(content)} if content else {}
    return {**rest, **size, "sha256": hashlib.sha256(content).hexdigest()}


def _add(tar: tarfile.TarFile, name: str, member: Mapping[str, Any], content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.type = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "link": tarfile.SYMTYPE}[member["kind"]]
    info.mode, info.mtime = int(member["mode"], 8), member.get("mtime", 0)
    info.uid, info.gid = member.get("uid", 0), member.get("gid", 0)
    info.size, info.linkname = len(content), member.get("target", "")
    tar.addfile(info, io.BytesIO(content))
