"""The stack's own CA for development: make it, read it, and decide what it may issue for.

The root signs one issuing CA and its key is dropped, so the key on disk is that of the issuing CA. Both may only issue
for certain domains, and for no IP addresses (RFC 5280, section 4.2.1.10): not every client applies what the root
says about itself, but each applies what an intermediate says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_network

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from stackctl.certs.issuer.local import ORGANIZATION, load_issuer
from stackctl.model.acme import LOCAL_DOMAINS, Acme
from stackctl.model.layout import LOCAL_ISSUER, LOCAL_ROOT

_LIFETIME = timedelta(days=3650)
_EARLIER = timedelta(days=1)
_NO_ADDRESSES = tuple(x509.IPAddress(ip_network(every)) for every in ("0.0.0.0/0", "::/0"))

NEW_ROOT = "run 'stackctl init --new-root', then 'stackctl trust'"


@dataclass(frozen=True, slots=True)
class LocalCa:
    """The stack's own CA.

    Attributes:
        name: the organization in its certificates, which is its own; empty for one that is about to be made.
        domains: the domains that it may issue for, with all names below them.
        not_after: when its root expires.
        fingerprint: SHA-256 of the root, hexadecimal.
        problem: why it cannot issue, or None.
        root: the certificate of the root, as PEM.
    """

    name: str
    domains: tuple[str, ...]
    not_after: datetime
    fingerprint: str = ""
    problem: str | None = None
    root: bytes = b""

    def permits(self, name: str) -> bool:
        """Return whether it may issue for a name."""
        return any(name == domain or name.endswith(f".{domain}") for domain in self.domains)


def wanted_domains(acme: Acme) -> tuple[str, ...]:
    """Return the domains that the CA of a stack is to issue for."""
    return tuple(dict.fromkeys((*LOCAL_DOMAINS, *acme.local_domains)))


def planned_ca(domains: Sequence[str], now: datetime) -> LocalCa:
    """Return what :func:`make_ca` will make, as far as it is known."""
    return LocalCa("", tuple(domains), now + _LIFETIME)


def make_ca(domains: Sequence[str], now: datetime) -> tuple[bytes, bytes]:
    """Return a new root, and the certificate and key of the issuing CA that it signed; both PEM."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    spki = root_key.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    digest = hashes.Hash(hashes.SHA256())
    digest.update(spki)
    organization = f"{ORGANIZATION} {digest.finalize().hex()[:8]}"
    root = _certificate(organization, ("root", root_key), ("root", root_key), domains, now)
    issuing = _certificate(organization, ("root", root_key), ("issuer", key), domains, now)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    pem = serialization.Encoding.PEM
    return root.public_bytes(pem), issuing.public_bytes(pem) + private


_Party = tuple[str, ec.EllipticCurvePrivateKey]
"""The role of a CA, and its key."""


def _certificate(
    organization: str, issuer: _Party, subject: _Party, domains: Sequence[str], now: datetime
) -> x509.Certificate:
    def named(role: str) -> x509.Name:
        parts = ((NameOID.ORGANIZATION_NAME, organization), (NameOID.COMMON_NAME, f"{organization} {role}"))
        return x509.Name([x509.NameAttribute(*part) for part in parts])

    permitted = [x509.DNSName(domain) for domain in domains]
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder(named(issuer[0]), named(subject[0]), subject[1].public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _EARLIER)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=1 if issuer == subject else 0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.NameConstraints(permitted, _NO_ADDRESSES), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(subject[1].public_key()), critical=False)
    )
    if issuer != subject:
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer[1].public_key())
        server_only = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        builder = builder.add_extension(identifier, critical=False).add_extension(server_only, critical=False)
    return builder.sign(issuer[1], hashes.SHA256())


def read_ca(root: bytes | None, issuer: bytes | None, now: datetime) -> LocalCa | None:
    """Return the CA of the files ``root.pem`` and ``issuer.pem``; None if there is none, and none was ever made.

    A missing file is None; an empty one is a file that cannot be read.
    """
    if root is None and issuer is None:
        return None
    try:
        certificate = x509.load_pem_x509_certificate(root or b"")
        organization = certificate.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)
        constraints = certificate.extensions.get_extension_for_class(x509.NameConstraints).value
        names = tuple(str(one.value) for one in constraints.permitted_subtrees or () if isinstance(one, x509.DNSName))
        found = LocalCa(
            str(organization[0].value) if organization else "",
            names,
            certificate.not_valid_after_utc,
            certificate.fingerprint(hashes.SHA256()).hex(),
            _problem(certificate, issuer, now),
            root or b"",
        )
    except (ValueError, x509.ExtensionNotFound):
        why = "is missing" if root is None else "is damaged"
        return LocalCa("", (), now, problem=f"the root of the local CA, {LOCAL_ROOT.path}, {why}")
    return found


def _problem(root: x509.Certificate, issuer: bytes | None, now: datetime) -> str | None:
    if issuer is None:
        return f"the key of the local CA, {LOCAL_ISSUER.path}, is missing"
    try:
        load_issuer(issuer)[0].verify_directly_issued_by(root)
    except (ValueError, TypeError):
        return f"the key of the local CA, {LOCAL_ISSUER.path}, is damaged"
    except InvalidSignature:
        return f"{LOCAL_ISSUER.path} is of another local CA than {LOCAL_ROOT.path}"
    return "the local CA has expired" if now >= root.not_valid_after_utc else None
