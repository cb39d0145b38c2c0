"""``stackctl cert export``: writes a certificate with its key for other software, once or kept fresh."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.serialization import pkcs12

from stackctl.adapters.disk.files import host_errors, make_folder, write_whole
from stackctl.certs.issuer.exports import RECORD, recorded, refresh_export, write_export
from stackctl.certs.issuer.pair import PairFiles, parsed
from stackctl.certs.shelf import Source
from stackctl.engine.context import Context
from stackctl.errors import HostError, InputError
from stackctl.model.layout import EXPORTS, STAMPS, site_of_file
from stackctl.usecases.cert_looks import CertificateRow, pair_of, row_of
from stackctl.usecases.result import Result


@dataclass(frozen=True, slots=True)
class ExportReport:
    """What was written, and where: a file, or the folder that is kept fresh."""

    certificate: str
    path: str
    kept_fresh: bool


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """The certificate to export, and where to: one of the three.

    Attributes:
        passphrase: returns that of the PKCS#12 file; asked only if everything else is right.
        force: whether a file that exists is replaced.
    """

    name: str
    pem: Path | None = None
    pkcs12: Path | None = None
    passphrase: Callable[[str], bytes] = lambda _name: b""
    keep_fresh: bool = False
    force: bool = False

    def check(self) -> None:
        """Refuse options that contradict each other.

        Raises:
            InputError: not exactly one of them is given.
        """
        if sum((self.pem is not None, self.pkcs12 is not None, self.keep_fresh)) != 1:
            raise InputError(
                "a certificate is exported to one place",
                hint="run 'stackctl cert export NAME' with --pem FILE, with --pkcs12 FILE, or with --keep-fresh",
            )


def export_certificate(context: Context, options: ExportOptions) -> Result[ExportReport]:
    """Write a certificate with its chain and its key; only the owner of the file can read it.

    Raises:
        InputError: there is no such certificate, or the file exists.
        HostError: its key cannot be read, or the file cannot be written.
    """
    options.check()
    row = row_of(context, options.name)
    if row.source == Source.DUMMY:
        raise InputError(f"{site_of_file(row.name)} has a dummy only, which nobody trusts", hint="run 'stackctl up'")
    pair = pair_of(context, row)
    if pair.fullchain is None or pair.privkey is None:
        raise HostError(f"the certificate {site_of_file(row.name)} cannot be read: {row.problem or 'run stackctl up'}")
    if options.keep_fresh:
        return _kept_fresh(context, row, pair)
    target = options.pem or options.pkcs12
    assert target is not None
    if os.path.lexists(target) and not options.force:
        raise InputError(
            f"{target} exists", hint="choose another file, or replace it by 'stackctl cert export --force'"
        )
    if not target.resolve().parent.is_dir():
        raise InputError(f"there is no folder {target.parent}", where=str(target), hint="make it first")
    content = _pem(pair) if options.pem else _pkcs12(row.name, pair, options.passphrase(row.name))
    with host_errors():
        if target.is_file():
            target.chmod(0o600)
        write_whole(target, content, 0o600)
    return Result("cert export", ExportReport(row.name, str(target), kept_fresh=False), acted=True)


def _pem(pair: PairFiles) -> bytes:
    """Return the key, then the chain: in this order each server that wants one file takes it."""
    key, chain = pair.privkey or b"", pair.fullchain or b""
    return (key if key.endswith(b"\n") else key + b"\n") + chain


def _pkcs12(name: str, pair: PairFiles, passphrase: bytes) -> bytes:
    chain: list[x509.Certificate] = parsed(pair.fullchain or b"") or []
    key = serialization.load_pem_private_key(pair.privkey or b"", None)
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        how = serialization.BestAvailableEncryption(passphrase)
    return pkcs12.serialize_key_and_certificates(name.encode(), key, chain[0], chain[1:], how)  # type: ignore[arg-type]


def _kept_fresh(context: Context, row: CertificateRow, pair: PairFiles) -> Result[ExportReport]:
    folder, kind = EXPORTS / row.name, row.kind
    path, stamps = context.directory.root / folder.path, context.directory.root / STAMPS.path
    with host_errors():
        there = recorded(path) if path.is_dir() else None
        if path.is_dir() and there is None and any(path.iterdir()):
            raise InputError(f"{folder.path} holds other files", hint="move them away")
        make_folder(path.parent)
        make_folder(path, 0o700)
        if there != kind:
            write_export(path / RECORD, f"{kind}\n".encode())
        changed = refresh_export(stamps, kind, row.name, pair)
    return Result("cert export", ExportReport(row.name, folder.path, kept_fresh=True), acted=changed or there != kind)
