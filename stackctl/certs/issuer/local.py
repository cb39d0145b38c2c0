"""Issue certificates of the stack's local CA, and renew the copies that a proxy reads, with or without stackctl.

    CA/root.pem      the certificate of the root, which clients trust; its key is never stored
    CA/issuer.pem    the certificate and the key of the issuing CA, which the root signed

It runs on the host and, in the deploy hook, in the certbot container: see :mod:`stackctl.certs.issuer.copies`.
"""

from __future__ import annotations

import datetime as dt
import importlib
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackctl.certs.issuer.copies import STORED, copied, copy, main, replace_text
from stackctl.certs.issuer.pair import PairFiles, blocks, leaf_facts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ORGANIZATION = "stackctl local CA"
"""The organization of every local CA begins so; its own id follows."""

ROOT_FILE, ISSUER_FILE = "root.pem", "issuer.pem"
LIFETIME = dt.timedelta(days=30)
_EARLIER = dt.timedelta(hours=1)
"""How far before now a certificate begins to be valid, for clients whose clock is behind."""


def organization(certificate: Any) -> str:  # noqa: ANN401 - an x509.Certificate
    """Return the organization of the issuer of a certificate, or an empty text."""
    oid = importlib.import_module("cryptography.x509.oid").NameOID.ORGANIZATION_NAME
    found = certificate.issuer.get_attributes_for_oid(oid)
    return str(found[0].value) if found else ""


def span(certificate: Any) -> tuple[dt.datetime, dt.datetime]:  # noqa: ANN401 - an x509.Certificate
    """Return from when to when a certificate is valid."""
    utc = "_utc" if hasattr(certificate, "not_valid_after_utc") else ""  # cryptography before 42 has no zone: it is UTC
    ends = (getattr(certificate, f"not_valid_{end}{utc}") for end in ("before", "after"))
    begin, end = (at.replace(tzinfo=dt.timezone.utc) for at in ends)  # noqa: UP017 - Python 3.9
    return begin, end


def load_issuer(pem: bytes) -> tuple[Any, Any, bytes]:
    """Return the certificate and the key of the issuing CA, and the certificate as PEM.

    Raises:
        ValueError: one is missing, or they do not belong together.
    """
    x509 = importlib.import_module("cryptography.x509")
    serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
    unsupported = importlib.import_module("cryptography.exceptions").UnsupportedAlgorithm
    found = blocks(pem)
    if len(found) != 1:
        raise ValueError("it holds no certificate")
    certificate = x509.load_pem_x509_certificate(found[0])
    try:
        key = serialization.load_pem_private_key(pem.replace(found[0], b""), None)
    except (TypeError, unsupported) as error:
        raise ValueError(str(error)) from error
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise ValueError("the key does not match the certificate")
    return certificate, key, found[0]


def sign(issuer: bytes, names: Sequence[str], now: dt.datetime) -> PairFiles:
    """Return a new certificate for ``names`` with its issuer behind it, and its key.

    Raises:
        ValueError: the issuing CA cannot be read, or has expired.
    """
    x509 = importlib.import_module("cryptography.x509")
    hashes = importlib.import_module("cryptography.hazmat.primitives.hashes")
    serialization = importlib.import_module("cryptography.hazmat.primitives.serialization")
    ec = importlib.import_module("cryptography.hazmat.primitives.asymmetric.ec")
    oids = importlib.import_module("cryptography.x509.oid")
    authority, authority_key, behind = load_issuer(issuer)
    begin, end = span(authority)
    if not begin <= now < end:
        raise ValueError(f"the local CA is only valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}")
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(oids.NameOID.ORGANIZATION_NAME, organization(authority))])
    extensions = (
        (x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), False),
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (x509.ExtendedKeyUsage([oids.ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.KeyUsage(True, False, False, False, False, False, False, False, False), True),  # noqa: FBT003
        (x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False),
        (x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), False),
    )
    builder = x509.CertificateBuilder(
        authority.subject,
        subject,
        key.public_key(),
        x509.random_serial_number(),
    )
    builder = builder.not_valid_before(max(begin, now - _EARLIER)).not_valid_after(min(end, now + LIFETIME))
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    leaf = builder.sign(authority_key, hashes.SHA256())
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return PairFiles(leaf.public_bytes(serialization.Encoding.PEM) + behind, private)


def is_due(certificate: Any, now: dt.datetime) -> bool:  # noqa: ANN401 - an x509.Certificate
    """Return whether less than a third of its life is left."""
    begin, end = span(certificate)
    return end - now < (end - begin) / 3


def renew(ca: Path, home: Path, now: dt.datetime) -> tuple[bool, dict[str, str]]:
    """Renew the copies in ``home`` whose certificates of the local CA are due.

    Returns whether one changed, and why others were not renewed, by site.
    """
    changed, problems = False, {}
    for name, names in _due(home, now):
        try:
            pair = sign((ca / ISSUER_FILE).read_bytes(), names, now)
            changed = copy(home, STORED, name, pair) or changed
        except FileNotFoundError:
            problems[name] = "the local CA has no key"
        except (OSError, ValueError) as error:
            problems[name] = f"the local CA cannot issue a certificate: {error}"
    return changed, problems


def _due(home: Path, now: dt.datetime) -> Iterator[tuple[str, Sequence[str]]]:
    """Yield the copies of certificates of a local CA that are due, each with its names."""
    try:
        x509 = importlib.import_module("cryptography.x509")
    except ImportError:
        return
    folder = home / STORED
    for name in sorted(path.name for path in folder.iterdir()) if folder.is_dir() else ():
        there = copied(home, STORED, name)
        if there is None:
            continue
        try:
            leaf = x509.load_pem_x509_certificate(there[1])
        except ValueError:
            continue
        if organization(leaf).startswith(ORGANIZATION) and is_due(leaf, now):
            yield name, leaf_facts(there[1])[1]


def run() -> int:
    """Run as certbot's deploy hook, which names the lineage, or for all certificates.

    The arguments are certbot's configuration, the folder of the stamps, and the folder of the local CA, which the
    hook of an earlier version does not name.
    """
    conf, stamps, *rest = sys.argv[1:]
    lineage = os.environ.get("RENEWED_LINEAGE")
    if lineage:
        return main(conf, stamps, os.path.basename(lineage.rstrip("/")))  # noqa: PTH119
    changed, problems = renew(Path(*rest), Path(stamps) / "pairs", dt.datetime.now(dt.timezone.utc))  # noqa: UP017
    for name, reason in problems.items():
        sys.stderr.write(f"{name} is not renewed: {reason}\n")
    code = main(conf, stamps, None, problems)
    if changed:
        replace_text(Path(stamps) / "renewed", f"{time.time():.9f}\n")
    return code
