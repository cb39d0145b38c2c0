"""Record a stack directory as a fixture without keys and certificates."""

from __future__ import annotations

import io
import json
import re
import shutil
import stat
import tarfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

from tests.e2e.helpers import Stack, sans
from tests.old_stack.authority import DUMMY
from tests.old_stack.fixture import FILES, FIXTURE, SECRET, Stored, Tree, packed

BUNDLE = "data/ca/bundle.pem"
_PASSING = re.compile(r"\.stackctl/lock|data/certbot/conf/\.certbot\.lock|data/certbot/www/.*\d")
"""Temporary files: locks and challenges."""


def record(stack: Stack, archive: bytes, version: str, commit: str, made: datetime) -> None:
    """Write the fixture anew from ``stack``, and a backup of it."""
    root = stack.directory
    paths = {str(path.relative_to(root)): path for path in sorted(root.rglob("*"))}
    paths = {name: path for name, path in paths.items() if not _PASSING.match(name)}
    regular = {name: path for name, path in paths.items() if path.is_file() and not path.is_symlink()}
    certificates = list(_certificates(regular))
    accounts = [name for name in regular if name.endswith("/private_key.json")]
    same = _hard_links(regular)
    remade = {BUNDLE, *accounts, *same, *(path for one in certificates for path in one.files.values())}
    shutil.rmtree(FIXTURE, ignore_errors=True)
    for name in sorted(set(regular) - remade):
        # The history holds command lines, with the path of the checkout in them.
        content = regular[name].read_bytes().replace(str(stack.lab.bundle.parent.parent).encode(), b"..")
        assert not SECRET.search(content), f"{name} holds a key or a certificate"
        (FILES / name).parent.mkdir(parents=True, exist_ok=True)
        (FILES / name).write_bytes(content)
    folders = [name for name, path in paths.items() if path.is_dir() and not path.is_symlink()]
    tree = Tree(
        made=made,
        version=version,
        commit=commit,
        project=stack.project,
        address=stack.address,
        ca=stack.lab.directory.removeprefix("https://").partition("/")[0],
        modes={name: f"{stat.S_IMODE(paths[name].stat().st_mode):04o}" for name in sorted({*folders, *regular})},
        folders=folders,
        links={name: str(path.readlink()) for name, path in paths.items() if path.is_symlink()},
        same=same,
        certificates=certificates,
        accounts=accounts,
        bundle=BUNDLE,
    )
    _write("tree.json", msgspec.to_builtins(tree))
    _write("archive.json", _recipe(archive))


def _certificates(regular: dict[str, Path]) -> Iterator[Stored]:
    """Return each certificate with its key, from certbot's archive or stackctl's own files."""
    for name, path in regular.items():
        found = re.fullmatch(r"(?P<at>.*/)fullchain(?P<number>\d*)\.pem", name)
        if found:
            leaf = x509.load_pem_x509_certificate(path.read_bytes())
            by = leaf.issuer.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
            parts = ("cert", "chain", "fullchain", "privkey")
            files = {part: f"{found['at']}{part}{found['number']}.pem" for part in parts}
            files = {part: file for part, file in files.items() if file in regular}
            is_dummy = [value.value for value in by] == [DUMMY]
            yield Stored(sorted(sans(leaf)), leaf.fingerprint(hashes.SHA256()).hex(), is_dummy, files)


def _hard_links(regular: dict[str, Path]) -> dict[str, str]:
    """Return the hard links to a file, by the first of its names."""
    first: dict[int, str] = {}
    same: dict[str, str] = {}
    for name, path in regular.items():
        known = first.setdefault(path.stat().st_ino, name)
        if known != name:
            same[name] = known
    return same


def _recipe(archive: bytes) -> dict[str, Any]:
    """The archive's manifest without sizes and digests, from which the same archive can be made."""
    contents: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for info in tar:
            file = tar.extractfile(info) if info.isreg() else None
            if file:
                contents[info.name.removeprefix("stack/")] = file.read()
    manifest: dict[str, Any] = json.loads(contents["manifest.json"])
    for member in manifest["files"].values():
        for key in ("size", "sha256"):
            member.pop(key, None)
    assert packed(manifest, contents) == archive, "the recipe makes another archive"
    return manifest


def _write(name: str, content: object) -> None:
    FIXTURE.mkdir(parents=True, exist_ok=True)
    (FIXTURE / name).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
