"""Make one verified pair of what a user gives: the leaf, its chain in order, and the key that fits."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from stackctl.certs.given.parts import Found, Parts
from stackctl.certs.issuer.pair import PairFiles
from stackctl.certs.lineage import Certificate, describe
from stackctl.errors import InputError
from stackctl.wording import day, listed, moment

SMALLEST_RSA = 2048
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_WEAK_HASHES = {"md5", "sha1"}
ExtensionT = TypeVar("ExtensionT", bound=x509.ExtensionType)

_MOST = 10
"""The most certificates of a chain; each handshake carries all of them."""


@dataclass(frozen=True, slots=True)
class GivenPair:
    """A certificate with its key, ready to be served.

    Attributes:
        serial: its serial number, hexadecimal.
        chain: PEM of the leaf and its intermediates, in order.
        file: the file that the leaf is from.
        issuer: who issued the leaf, if nothing but the leaf is given and it did not issue itself.
        key: PEM of its private key, not encrypted.
        notes: what the user may not expect.
    """

    certificate: Certificate
    serial: str
    chain: bytes
    key: bytes = field(repr=False)
    file: str | None = None
    issuer: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def version(self) -> str:
        """The id of the pair."""
        return str(PairFiles(self.chain, self.key).version)


def make_pair(parts: Parts, now: datetime) -> GivenPair:
    """Return the pair that ``parts`` are.

    Raises:
        InputError: no key fits, the certificate cannot be served now or to browsers, or its chain is incomplete.
    """
    if not parts.certificates:
        files = listed(sorted({one.file for one in parts.keys}))
        raise InputError("there is no certificate", where=files or None, hint="pass its file with --cert")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        leaf, key = _leaf_and_key(parts, now)
        _check_leaf(leaf, now)
        _check_key(key)
        chain = _chain(leaf, parts.certificates)
        for one in chain:
            _check_strength(one)
        _check_complete(chain)
        notes = tuple(_notes(leaf, chain, parts))
    alone = len(chain) == 1 and not _is_self_issued(leaf.value)
    issuer = leaf.value.issuer.rfc4514_string() if alone else None
    pem = b"".join(one.value.public_bytes(serialization.Encoding.PEM) for one in chain)
    private = key.value.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return GivenPair(describe(leaf.value), f"{leaf.value.serial_number:x}", pem, private, leaf.file, issuer, notes)


def refuse_uncovered(pair: GivenPair, names: Collection[str], of: str) -> None:
    """Refuse a certificate that does not cover all ``names`` of a site.

    Raises:
        InputError: with the names that it lacks.
    """
    missing = [name for name in names if not pair.certificate.covers(name)]
    if missing:
        raise InputError(
            f"the certificate is for {listed(pair.certificate.names)}, and does not cover {listed(missing)}",
            where=pair.file,
            hint=f"import one for all names of {of}, or let the others be a site of their own",
        )


def _leaf_and_key(parts: Parts, now: datetime) -> tuple[Found, Found]:
    """Return the certificate to serve and its key; of several it is the one that is valid longest."""
    if not parts.keys:
        files = listed(sorted({one.file for one in parts.certificates}))
        raise InputError("there is no private key", where=files, hint="pass its file with --key")
    public = {_public(one): one for one in reversed(parts.keys)}
    fitting = [one for one in parts.certificates if (der := _public(one)) is not None and der in public]
    if not fitting:
        shown = next((one for one in parts.certificates if not _is_ca(one.value)), parts.certificates[0])
        names = listed(describe(shown.value).names) or shown.value.subject.rfc4514_string()
        raise InputError(
            f"the private key in {listed(sorted({one.file for one in parts.keys}))} does not fit the certificate for "
            f"{names}",
            where=shown.file,
            hint="pass the key that this certificate was requested with",
        )
    valid = [one for one in fitting if one.value.not_valid_before_utc <= now < one.value.not_valid_after_utc]
    leaf = max(valid or fitting, key=lambda one: (not _is_ca(one.value), one.value.not_valid_after_utc))
    return leaf, public[_public(leaf)]


def _public(one: Found) -> bytes | None:
    """Return the public key of a certificate or of a private key; None for one of an unknown kind."""
    form = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    try:
        der: bytes = one.value.public_key().public_bytes(*form)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return der


def _check_leaf(leaf: Found, now: datetime) -> None:
    one: x509.Certificate = leaf.value
    names = describe(one).names
    if one.not_valid_after_utc <= now:
        raise InputError(
            f"the certificate for {listed(names)} expired on {day(one.not_valid_after_utc)}",
            where=leaf.file,
            hint="get a new one from its CA",
        )
    if one.not_valid_before_utc > now:
        raise InputError(
            f"the certificate for {listed(names)} is not valid before {moment(one.not_valid_before_utc)}",
            where=leaf.file,
            hint="import it then, or set this host's clock",
        )
    if not names:
        raise InputError(
            "the certificate has no DNS names (subjectAltName), which browsers need",
            where=leaf.file,
            hint="get one that has the names of the site among them",
        )
    usage = _extension(one, x509.ExtendedKeyUsage)
    if usage is not None and not {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE} & {
        *usage
    }:
        raise InputError("the certificate is not for servers (extendedKeyUsage)", where=leaf.file)


def _check_key(key: Found) -> None:
    match key.value:
        case rsa.RSAPrivateKey():
            fault = None if key.value.key_size >= SMALLEST_RSA else f"an RSA key of {key.value.key_size} bits"
        case ec.EllipticCurvePrivateKey():
            fault = None if isinstance(key.value.curve, _CURVES) else f"a key of the curve {key.value.curve.name}"
        case ed25519.Ed25519PrivateKey() | ed448.Ed448PrivateKey():
            fault = "a key of EdDSA, which no browser accepts"
        case _:
            fault = "neither an RSA nor an elliptic-curve key"
    if fault is not None:
        hint = f"request a certificate with an ECDSA key (P-256), or with an RSA key of {SMALLEST_RSA} bits"
        raise InputError(f"the private key is {fault}", where=key.file, hint=hint)


def _check_strength(one: Found) -> None:
    """Refuse what OpenSSL does not load: with it the proxy, and all sites, would not start again."""
    if _is_self_issued(one.value):
        return  # nobody verifies its signature
    try:
        weak = one.value.signature_hash_algorithm.name if one.value.signature_hash_algorithm else ""
    except UnsupportedAlgorithm:
        weak = "an unknown algorithm"
    public = one.value.public_key()
    fault = f"signed with {weak.upper()}" if weak in _WEAK_HASHES or " " in weak else None
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < SMALLEST_RSA:
        fault = f"for an RSA key of {public.key_size} bits"
    if fault is not None:
        text = f"the certificate {one.value.subject.rfc4514_string()} is {fault}: no server loads it"
        raise InputError(text, where=one.file, hint="get a new one from its CA")


def _chain(leaf: Found, given: Sequence[Found]) -> list[Found]:
    """Return the leaf and the certificates that lead to its root, in order; the root is left out if it need not be."""
    chain = [leaf]
    while len(chain) < _MOST and not _is_self_issued(chain[-1].value):
        above = next(
            (one for one in given if one.value not in [c.value for c in chain] and _signed(chain[-1], one)), None
        )
        if above is None:
            break
        chain.append(above)
    # Clients have the root. One that signed the leaf itself stays: it shows that no intermediate is missing.
    return chain[:-1] if len(chain) > 2 and _is_self_issued(chain[-1].value) else chain


def _signed(one: Found, issuer: Found) -> bool:
    try:
        one.value.verify_directly_issued_by(issuer.value)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _check_complete(chain: Sequence[Found]) -> None:
    last: x509.Certificate = chain[-1].value
    url = _issuer_url(last)
    if len(chain) == 1 and url is not None and not _is_self_issued(last):
        raise InputError(
            f"the intermediate {last.issuer.rfc4514_string()} is missing, without which clients cannot verify it",
            where=chain[0].file,
            hint=f"pass it with --chain FILE; the certificate says that it is at {url}",
        )


def _issuer_url(one: x509.Certificate) -> str | None:
    access = _extension(one, x509.AuthorityInformationAccess) or ()
    urls = [str(a.access_location.value) for a in access if a.access_method == AuthorityInformationAccessOID.CA_ISSUERS]
    return next(iter(urls), None)


def _notes(leaf: Found, chain: Sequence[Found], parts: Parts) -> Iterator[str]:
    order = [one.value for one in parts.certificates if one in chain]
    if order != [one.value for one in chain]:
        yield "the certificates are put in order: the one of the site first, each signed by the next"
    left = dict.fromkeys(one.value for one in parts.certificates if one.value not in [c.value for c in chain])
    stray = [one.subject.rfc4514_string() for one in left if not _is_self_issued(one)]
    if stray:
        yield f"left out, because they are not part of its chain: {listed(stray)}"
    if _is_ca(leaf.value):
        yield "it is marked as the certificate of a CA, which Firefox does not accept for a site"


def _is_ca(one: x509.Certificate) -> bool:
    found = _extension(one, x509.BasicConstraints)
    return found is not None and found.ca


def _is_self_issued(one: x509.Certificate) -> bool:
    return bool(one.issuer == one.subject)


def _extension(one: x509.Certificate, kind: type[ExtensionT]) -> ExtensionT | None:
    """Return an extension of a certificate; one that cannot be read counts as none."""
    try:
        return one.extensions.get_extension_for_class(kind).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return None
