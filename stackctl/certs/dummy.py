"""Make dummy certificates, with which the proxy starts until the real one is issued."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stackctl.certs.lineage import Certificate

ISSUER = "stackctl dummy"
"""Organization of every dummy: it distinguishes a dummy from a real certificate on the wire."""

_LIFETIME = timedelta(days=3650)


def is_dummy(certificate: Certificate) -> bool:
    """Return whether the certificate is a dummy, which no client trusts."""
    return certificate.issuer == ISSUER


def make_dummy(names: Sequence[str], now: datetime) -> tuple[bytes, bytes]:
    """Return a self-signed certificate for ``names`` and its ECDSA P-256 key, both PEM: (chain, key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, ISSUER)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        # A day back, so that a small clock difference does not make it invalid.
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return certificate.public_bytes(serialization.Encoding.PEM), private
