"""Read certificates and certbot lineages from PEM, and say when they are due."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from stackctl.certs.issuer.copies import served_fault
from stackctl.certs.issuer.pair import PairFiles, pair_problem
from stackctl.certs.issuer.versions import Condition, LineageFiles
from stackctl.certs.renewal import renews_by_dns
from stackctl.certs.watch.ends import late, renewal_window
from stackctl.model.acme import LETSENCRYPT_STAGING
from stackctl.model.dns_providers import AUTHENTICATOR

_SECTION = re.compile(r"^\[renewalparams\][^\n]*\n(?:(?!\[).*\n?)*", re.MULTILINE)
_SERVER = re.compile(r"^server *= *(\S+)", re.MULTILINE)
_PROFILE = re.compile(r"^preferred_profile *= *(\S+)", re.MULTILINE)
_AUTHENTICATOR = re.compile(r"^authenticator *= *(\S+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Certificate:
    """The leaf of a chain.

    Attributes:
        fingerprint: SHA-256 of the DER, hexadecimal, for comparison with a TLS handshake.
        names: its DNS names, sorted.
        key: the kind of its key, such as ``ecdsa-256`` or ``rsa-2048``; empty if that is not known.
    """

    fingerprint: str
    names: tuple[str, ...]
    issuer: str
    not_before: datetime
    not_after: datetime
    key: str = ""

    def due(self, now: datetime) -> bool:
        """Return whether to renew it: less than a third of its life is left, or half if its life is under ten days."""
        return self.not_after - now < renewal_window(self.not_after - self.not_before)

    def overdue(self, now: datetime) -> bool:
        """Return whether half of the time has passed in which it can be renewed."""
        return self.not_after - now < late(self.not_after - self.not_before)

    def days_left(self, now: datetime) -> int:
        """Return the whole days until it expires; negative once it has expired."""
        return (self.not_after - now) // timedelta(days=1)

    def covers(self, name: str) -> bool:
        """Return whether ``name`` is one of its names, or matches one of its wildcards (RFC 6125)."""
        return name in self.names or f"*.{name.partition('.')[2]}" in self.names


@dataclass(frozen=True, slots=True)
class Lineage:
    """A certbot certificate with its key, as found under ``live/NAME``.

    Attributes:
        problem: why it cannot be served, or None.
        server: the ACME directory that issued it, by its renewal file; None if that is missing.
        fault: why certbot cannot renew it, or clients cannot verify its chain, although it can be served; or None.
        version: the id of its pair; None if a part is missing.
        flaw: why it is not complete although it can be served, or None.
        gone: whether certbot's tree no longer has it, and ``certificate`` is that of its copy.
        repair: what can be mended in certbot's tree without a CA, or None.
        repaired: its certificate after that.
        left: its fault after that.
        repaired_version: the id of its pair after that.
        authenticator: how certbot proves its names, by its renewal file.
        profile: the certificate profile that was requested, by its renewal file.
    """

    name: str
    certificate: Certificate | None
    problem: str | None = None
    server: str | None = None
    fault: str | None = None
    version: str | None = None
    flaw: str | None = None
    gone: bool = False
    repair: str | None = None
    repaired: Certificate | None = None
    left: str | None = None
    repaired_version: str | None = None
    authenticator: str | None = None
    profile: str | None = None

    @property
    def mended(self) -> Lineage:
        """The lineage as it is after its repair."""
        if self.repair is None:
            return self
        return Lineage(
            self.name,
            self.repaired,
            None,
            self.server,
            self.left,
            self.repaired_version,
            authenticator=self.authenticator,
            profile=self.profile,
        )

    @property
    def renewable(self) -> bool:
        """Whether certbot can renew it."""
        return self.problem is None and self.fault is None

    @property
    def own_way(self) -> bool:
        """Whether only certbot can renew it, as its renewal file says: by another plugin for DNS, or with a wildcard.

        A request over HTTP-01 would lose a wildcard, and need names that resolve to this host; DNS-01 does not.
        """
        certificate = self.certificate or self.repaired
        wild = certificate is not None and any(name.startswith("*.") for name in certificate.names)
        return self.authenticator != AUTHENTICATOR and (wild or renews_by_dns(self.authenticator))

    @property
    def usable(self) -> bool:
        """Whether a proxy can load it."""
        return self.certificate is not None and self.problem is None

    @property
    def from_staging(self) -> bool:
        """Whether Let's Encrypt's staging CA issued it: no browser trusts it."""
        by_name = self.certificate is not None and "(STAGING)" in self.certificate.issuer
        return by_name or self.server == LETSENCRYPT_STAGING


def own_way_todo(lineage: Lineage, names: Sequence[str]) -> str:
    """Return what to do about a lineage that only certbot can renew, if it does not do for a site with ``names``."""
    if lineage.usable and lineage.certificate and not all(map(lineage.certificate.covers, names)):
        return (
            f"add the names to it with 'docker compose exec certbot certbot certonly --cert-name {lineage.name} …', or "
            f"give {names[0]} one of its own by 'certificate: NEW-NAME' in x-stackctl"
        )
    return (
        f"restore it from a backup, or run 'stackctl renew --force {names[0]}', which renews it as certbot's file says"
    )


def read_certificate(chain: bytes) -> Certificate:
    """Return the leaf of a PEM chain.

    Raises:
        ValueError: the chain contains no certificate.
    """
    leaf = x509.load_pem_x509_certificate(chain)
    return describe(leaf)


def describe(leaf: x509.Certificate) -> Certificate:
    """Return the facts of a parsed certificate."""
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        dns = tuple(sorted(names.get_values_for_type(x509.DNSName)))
    except (x509.ExtensionNotFound, ValueError):
        dns = ()
    return Certificate(
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
        names=dns,
        issuer=_issuer(leaf),
        not_before=leaf.not_valid_before_utc,
        not_after=leaf.not_valid_after_utc,
        key=_key(leaf),
    )


def _key(leaf: x509.Certificate) -> str:
    try:
        key = leaf.public_key()
    except (ValueError, UnsupportedAlgorithm):
        return ""
    kinds = ((rsa.RSAPublicKey, "rsa"), (ec.EllipticCurvePublicKey, "ecdsa"))
    return next((f"{kind}-{key.key_size}" for shape, kind in kinds if isinstance(key, shape)), "")


def _issuer(leaf: x509.Certificate) -> str:
    for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        values = leaf.issuer.get_attributes_for_oid(oid)
        if values:
            return str(values[0].value)
    return leaf.issuer.rfc4514_string()


def read_lineage(name: str, chain: bytes | None, key: bytes | None, renewal: bytes | None) -> Lineage:
    """Return a lineage from the bytes of ``fullchain.pem``, ``privkey.pem`` and ``renewal/NAME.conf`` (None: missing).

    Only whether it can be served is judged.
    """
    return _lineage(name, PairFiles(chain, key), renewal, pair_problem(chain, key))


def judged_lineage(name: str, files: LineageFiles, condition: Condition) -> Lineage:
    """Return a lineage by its files and their judgement."""
    pair = PairFiles(files.live.get("fullchain"), files.live.get("privkey"), files.live.get("chain"))
    read = replace(_lineage(name, pair, files.conf, condition.problem), fault=condition.fault)
    if condition.repair is None or condition.chain is None:
        return read
    return replace(
        read,
        repair=condition.repair.cause,
        repaired=read_certificate(condition.chain),
        left=condition.left,
        repaired_version=PairFiles(condition.chain, condition.key).version,
    )


def _lineage(name: str, pair: PairFiles, renewal: bytes | None, problem: str | None) -> Lineage:
    try:
        certificate = None if pair.fullchain is None or pair.privkey is None else read_certificate(pair.fullchain)
    except ValueError:
        certificate = None
    flaw = None if pair.fullchain is None or problem else served_fault(pair.fullchain, pair.chain)
    server, authenticator, profile = (_value(entry, renewal) for entry in (_SERVER, _AUTHENTICATOR, _PROFILE))
    return Lineage(
        name,
        certificate,
        problem,
        server,
        version=pair.version,
        flaw=flaw,
        authenticator=authenticator,
        profile=profile,
    )


def _value(entry: re.Pattern[str], renewal: bytes | None) -> str | None:
    """Return an entry of a renewal file; searched, not parsed: a parser would cost as much as all the rest."""
    section = None if renewal is None else _SECTION.search(renewal.decode("utf-8", "replace"))
    found = entry.findall(section[0]) if section else []
    return str(found[-1]) if found else None
