"""Create the certificates and keys that the fixture does not contain."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

DUMMY = "stackctl dummy"
"""Issuer of a certificate that stackctl signed itself."""

_AGE = timedelta(days=2)
_LIFETIME = timedelta(days=90)


@dataclass(frozen=True)
class Issued:
    """A certificate as certbot writes it: the leaf, the chain without it, the key."""

    leaf: x509.Certificate
    chain: bytes
    key: bytes

    @property
    def files(self) -> dict[str, bytes]:
        """The content of certbot's four files."""
        cert = self.leaf.public_bytes(serialization.Encoding.PEM)
        return {"cert": cert, "chain": self.chain, "fullchain": cert + self.chain, "privkey": self.key}


class Authority:
    """A throwaway CA for certificates that are valid at ``now``."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named("Old CA")
        usage = x509.BasicConstraints(ca=True, path_length=None)
        self._certificate = self._signed(self._name, self._key.public_key(), self._name, self._key, usage)

    def issue(self, names: list[str]) -> Issued:
        """A certificate of 90 days, two days old."""
        key = ec.generate_private_key(ec.SECP256R1())
        usage = x509.BasicConstraints(ca=False, path_length=None)
        leaf = self._signed(x509.Name([]), key.public_key(), self._name, self._key, usage, names)
        return Issued(leaf, self._certificate.public_bytes(serialization.Encoding.PEM), _pem(key))

    def dummy(self, names: list[str]) -> Issued:
        """Create a self-signed certificate."""
        key, name = ec.generate_private_key(ec.SECP256R1()), _named(DUMMY)
        usage = x509.BasicConstraints(ca=False, path_length=None)
        return Issued(self._signed(name, key.public_key(), name, key, usage, names), b"", _pem(key))

    def _signed(
        self,
        subject: x509.Name,
        public: ec.EllipticCurvePublicKey,
        issuer: x509.Name,
        signer: ec.EllipticCurvePrivateKey,
        usage: x509.BasicConstraints,
        names: list[str] | None = None,
    ) -> x509.Certificate:
        builder = x509.CertificateBuilder(issuer, subject, public, x509.random_serial_number())
        builder = builder.not_valid_before(self._now - _AGE).not_valid_after(self._now - _AGE + _LIFETIME)
        by = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
        builder = builder.add_extension(usage, critical=True).add_extension(by, critical=False)
        if names:
            alternatives = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
            builder = builder.add_extension(alternatives, critical=not subject)
        return builder.sign(signer, hashes.SHA256())


def account_key() -> bytes:
    """An account's key as certbot keeps it: a JSON Web Key."""
    numbers = rsa.generate_private_key(65537, 2048).private_numbers()
    public = numbers.public_numbers
    parts = {"n": public.n, "e": public.e, "d": numbers.d, "p": numbers.p, "q": numbers.q}
    parts |= {"dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
    return json.dumps({**{key: _encoded(value) for key, value in parts.items()}, "kty": "RSA"}).encode()


def _encoded(number: int) -> str:
    return base64.urlsafe_b64encode(number.to_bytes((number.bit_length() + 7) // 8)).rstrip(b"=").decode()


def _named(organization: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
