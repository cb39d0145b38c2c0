"""Say who accepts a certificate: all browsers, only Cloudflare, or nobody who does not have its CA."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID

from stackctl.certs.issuer.pair import parsed
from stackctl.certs.lineage import Certificate
from stackctl.certs.watch.ends import near_ends

CLOUDFLARE = "Cloudflare"
_ORIGIN_CA = "cloudflare origin"


class Trust(StrEnum):
    """Who accepts a certificate."""

    PUBLIC = "public"
    CLOUDFLARE = "cloudflare"
    SELF_SIGNED = "self-signed"
    UNKNOWN_CA = "unknown-ca"


class Nearness(StrEnum):
    """How near the end of a certificate is that nothing renews."""

    FAR = "far"
    NEAR = "near"
    CLOSE = "close"
    URGENT = "urgent"
    OVER = "over"


WORDS = {
    Trust.CLOUDFLARE: "its CA is Cloudflare's Origin CA: browsers accept it only through Cloudflare's proxy",
    Trust.SELF_SIGNED: "it is self-signed: browsers do not accept it",
    Trust.UNKNOWN_CA: "no CA that this host trusts issued it: browsers accept it only where that CA is installed",
}
"""What to tell a user; nothing of a certificate that all browsers accept."""


def trust_of(chain: bytes, roots: Collection[x509.Certificate] | None) -> Trust | None:
    """Return who accepts the certificate of a PEM chain; None if it, or which CAs this host trusts, cannot be read."""
    certificates: list[x509.Certificate] = parsed(chain) or []
    if not certificates:
        return None
    leaf, last = certificates[0], certificates[-1]
    if any(_ORIGIN_CA in str(name).lower() for name in _issuer_names(leaf)):
        return Trust.CLOUDFLARE
    if leaf.issuer == leaf.subject:
        return Trust.SELF_SIGNED
    if not roots:
        return None
    return Trust.PUBLIC if any(_anchors(root, last) for root in roots) else Trust.UNKNOWN_CA


def _issuer_names(leaf: x509.Certificate) -> list[str | bytes]:
    kinds = (NameOID.ORGANIZATION_NAME, NameOID.ORGANIZATIONAL_UNIT_NAME, NameOID.COMMON_NAME)
    return [one.value for kind in kinds for one in leaf.issuer.get_attributes_for_oid(kind)]


def _anchors(root: x509.Certificate, last: x509.Certificate) -> bool:
    if root == last:
        return True
    if root.subject != last.issuer:
        return False
    try:
        last.verify_directly_issued_by(root)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def nearness(certificate: Certificate, now: datetime) -> Nearness:
    """Return how near its end is: at 30, 14 and 7 days, of a short life at a third, a sixth and a twelfth of it."""
    left, life = certificate.not_after - now, certificate.not_after - certificate.not_before
    if left <= timedelta(0):
        return Nearness.OVER
    passed = sum(left <= limit for limit in near_ends(life))
    return (Nearness.FAR, Nearness.NEAR, Nearness.CLOSE, Nearness.URGENT)[passed]
