"""A CA in this process: roots, intermediates and leaves of any kind, as users bring them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

PEM, DER = serialization.Encoding.PEM, serialization.Encoding.DER
NOW = datetime(2026, 8, 1, 12, tzinfo=UTC)
CLOUDFLARE = {
    NameOID.ORGANIZATION_NAME: "CloudFlare, Inc.",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "CloudFlare Origin SSL Certificate Authority",
}


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


@dataclass(frozen=True)
class Made:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: Any

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(PEM)

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(DER)

    @property
    def serial(self) -> str:
        return f"{self.certificate.serial_number:x}"

    def key_pem(self, passphrase: bytes | None = None) -> bytes:
        how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
        return bytes(self.key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, how))


@dataclass(frozen=True)
class Recipe:
    """What a certificate is made of; the defaults are those of an ordinary leaf."""

    names: Sequence[str] = ()
    common_name: str = ""
    ca: bool = False
    key: Any = None
    begins: datetime = NOW - timedelta(days=1)
    lifetime: timedelta = timedelta(days=90)
    usages: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.SERVER_AUTH,)
    url: str | None = None


def made(recipe: Recipe, issuer: Made | None = None) -> Made:
    """Make a certificate that ``issuer`` signs; None for one that signs itself."""
    key = recipe.key or new_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, recipe.common_name)] if recipe.common_name else [])
    above = issuer.certificate.subject if issuer else subject
    builder = x509.CertificateBuilder(above, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(recipe.begins).not_valid_after(recipe.begins + recipe.lifetime)
    if recipe.names:
        names = x509.SubjectAlternativeName([x509.DNSName(name) for name in recipe.names])
        builder = builder.add_extension(names, critical=not recipe.common_name)
    builder = builder.add_extension(x509.BasicConstraints(ca=recipe.ca, path_length=None), critical=True)
    if recipe.usages and not recipe.ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage([*recipe.usages]), critical=False)
    if recipe.url:
        access = x509.AccessDescription(
            AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(recipe.url)
        )
        builder = builder.add_extension(x509.AuthorityInformationAccess([access]), critical=False)
    return Made(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def named(issuer: dict[x509.ObjectIdentifier, str], key: Any = None) -> Made:
    """A root with any subject."""
    key = key or new_key()
    subject = x509.Name([x509.NameAttribute(kind, text) for kind, text in issuer.items()])
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(NOW - timedelta(days=1)).not_valid_after(NOW + timedelta(days=9000))
    return Made(
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
            key, hashes.SHA256()
        ),
        key,
    )


class Authority:
    """A root, an intermediate, and the leaves of it."""

    def __init__(self) -> None:
        self.root = made(Recipe(common_name="Test Root", ca=True, lifetime=timedelta(days=9000)))
        self.middle = made(Recipe(common_name="Test Intermediate", ca=True, lifetime=timedelta(days=900)), self.root)
        self.origin = named(CLOUDFLARE)

    def leaf(self, *names: str, **more: Any) -> Made:
        """A leaf of the intermediate, which says where that is."""
        recipe = Recipe(names, url="http://ca.example/middle.crt")
        return made(replace(recipe, **more), self.middle)

    def origin_leaf(self, *names: str, **more: Any) -> Made:
        """A leaf as of Cloudflare's Origin CA."""
        return made(replace(Recipe(names, lifetime=timedelta(days=5475)), **more), self.origin)
