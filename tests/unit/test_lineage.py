"""Certificates and lineages: what they say, when they are due, and why one cannot be served."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPrivateKeyTypes
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from stackctl.certs.issuer.versions import KINDS, LineageFiles, judge
from stackctl.certs.lineage import Certificate, Lineage, judged_lineage, read_certificate, read_lineage
from stackctl.model.acme import LETSENCRYPT, LETSENCRYPT_STAGING
from tests.unit.build import DAY, NOW, certificate

SECOND = timedelta(seconds=1)
RENEWAL = b"version = 5.6.0\narchive_dir = /etc/letsencrypt/archive/a\n[renewalparams]\nserver = https://ca.test/dir\n"


@lru_cache
def key(kind: str = "ec", number: int = 0) -> CertificateIssuerPrivateKeyTypes:
    del number  # tells one key of a kind from another
    return rsa.generate_private_key(65537, 2048) if kind == "rsa" else ec.generate_private_key(ec.SECP256R1())


def pem_of(private: CertificateIssuerPrivateKeyTypes, password: bytes | None = None) -> bytes:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    return private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption)


def chain_of(
    private: CertificateIssuerPrivateKeyTypes,
    *names: str,
    issuer: tuple[x509.NameAttribute[str], ...] = (x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Test CA"),),
    days: float = 90,
) -> bytes:
    built = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "leaf")]))
        .issuer_name(x509.Name(issuer))
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + days * DAY)
    )
    if names:
        built = built.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    return built.sign(private, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


# When it is due


@pytest.mark.parametrize(
    ("days", "left"),
    [
        (90, 30 * DAY),
        (64, 64 * DAY / 3),
        (45, 15 * DAY),
        (10, 10 * DAY / 3),
        (6, 3 * DAY),
        (6 + 16 / 24, 80 * timedelta(hours=1)),  # Let's Encrypt's short-lived: 160 hours
    ],
)
def test_it_is_due_with_a_third_of_its_life_left_or_half_of_a_short_one(days: float, left: timedelta) -> None:
    cert = certificate("a.b", days=days)
    threshold = cert.not_after - left
    assert not cert.due(threshold - SECOND)
    assert not cert.due(threshold)
    assert cert.due(threshold + SECOND)


def test_under_ten_days_is_short() -> None:
    assert certificate("a.b", days=9.99).due(NOW + 5 * DAY)
    assert not certificate("a.b", days=10).due(NOW + 5 * DAY)


@pytest.mark.parametrize("days", [1, 6, 45, 64, 90, 398])
def test_it_is_not_due_when_fresh_and_due_once_expired(days: int) -> None:
    cert = certificate("a.b", days=days)
    assert not cert.due(NOW)
    assert cert.due(cert.not_after)
    assert cert.due(cert.not_after + 400 * DAY)


@given(st.floats(0.1, 4000), st.floats(-100, 5000), st.floats(0, 1000))
def test_what_is_due_stays_due(days: float, at: float, later: float) -> None:
    cert = certificate("a.b", days=days)
    if cert.due(NOW + at * DAY):
        assert cert.due(NOW + (at + later) * DAY)


@pytest.mark.parametrize(
    ("before_end", "days"), [(90 * DAY, 90), (DAY, 1), (DAY - SECOND, 0), (timedelta(0), 0), (-SECOND, -1), (-DAY, -1)]
)
def test_days_left_are_whole_and_negative_once_it_expired(before_end: timedelta, days: int) -> None:
    cert = certificate("a.b")
    assert cert.days_left(cert.not_after - before_end) == days


# What it says


def test_a_certificate_is_described_by_its_leaf() -> None:
    private = key()
    leaf, other = chain_of(private, "b.example.com", "a.example.com"), chain_of(key("ec", 1), "ca.example.com")
    cert = read_certificate(leaf + other)
    assert cert.names == ("a.example.com", "b.example.com")
    assert cert.issuer == "Test CA"
    assert (cert.not_before, cert.not_after) == (NOW, NOW + 90 * DAY)
    der = x509.load_pem_x509_certificate(leaf)
    assert cert.fingerprint == der.fingerprint(hashes.SHA256()).hex()


@pytest.mark.parametrize(
    ("attributes", "issuer"),
    [
        ((x509.NameAttribute(NameOID.COMMON_NAME, "R10"), x509.NameAttribute(NameOID.ORGANIZATION_NAME, "LE")), "LE"),
        ((x509.NameAttribute(NameOID.COMMON_NAME, "R10"),), "R10"),
        ((x509.NameAttribute(NameOID.COUNTRY_NAME, "DE"),), "C=DE"),
        ((), ""),
    ],
)
def test_the_issuer_is_what_its_name_says_best(attributes: tuple[x509.NameAttribute[str], ...], issuer: str) -> None:
    assert read_certificate(chain_of(key(), "a.b", issuer=attributes)).issuer == issuer


def test_a_certificate_without_names_covers_nothing() -> None:
    cert = read_certificate(chain_of(key()))
    assert cert.names == ()
    assert not cert.covers("leaf")


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("a.example.com", True),
        ("x.wild.example.com", True),
        ("wild.example.com", False),
        ("x.y.wild.example.com", False),
        ("b.example.com", False),
        ("example.com", False),
        ("", False),
    ],
)
def test_a_name_is_covered_by_itself_or_by_a_wildcard_one_label_up(name: str, covered: bool) -> None:
    assert certificate("a.example.com", "*.wild.example.com").covers(name) is covered


@pytest.mark.parametrize(
    "text", [b"", b"nothing", pem_of(key()), b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_what_is_no_certificate_is_a_value_error(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_certificate(text)


# Lineages


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_whole_lineage_is_usable(kind: str) -> None:
    lineage = read_lineage("a", chain_of(key(kind), "a.b"), pem_of(key(kind)), RENEWAL)
    assert lineage.usable
    assert lineage.problem is None
    assert lineage.server == "https://ca.test/dir"
    assert lineage.certificate
    assert lineage.certificate.names == ("a.b",)


CHAIN, KEY = chain_of(key(), "a.b"), pem_of(key())


@pytest.mark.parametrize(
    ("chain", "private", "problem"),
    [
        (None, KEY, "fullchain.pem is missing"),
        (CHAIN, None, "privkey.pem is missing"),
        (None, None, "fullchain.pem is missing"),
        (b"", KEY, "fullchain.pem is not a certificate"),
        (CHAIN[:-60], KEY, "fullchain.pem is not a certificate"),
        (KEY, KEY, "fullchain.pem is not a certificate"),
        (CHAIN, b"", "privkey.pem is not a readable private key"),
        (CHAIN, KEY[:-60], "privkey.pem is not a readable private key"),
        (CHAIN, CHAIN, "privkey.pem is not a readable private key"),
        (CHAIN, pem_of(key(), b"secret"), "privkey.pem is not a readable private key"),
        (CHAIN, pem_of(key("ec", 1)), "privkey.pem does not match the certificate"),
        (CHAIN, pem_of(key("rsa")), "privkey.pem does not match the certificate"),
    ],
)
def test_a_lineage_that_cannot_be_served_says_why(chain: bytes | None, private: bytes | None, problem: str) -> None:
    lineage = read_lineage("a", chain, private, RENEWAL)
    assert lineage.problem == problem
    assert not lineage.usable
    assert lineage.server == "https://ca.test/dir"


@given(st.binary(max_size=200), st.binary(max_size=200), st.binary(max_size=200))
def test_no_bytes_make_reading_a_lineage_fail(chain: bytes, private: bytes, renewal: bytes) -> None:
    assert not read_lineage("a", chain, private, renewal).usable


@pytest.mark.parametrize(
    ("renewal", "server"),
    [
        (None, None),
        (b"", None),
        (b"[renewalparams]\n", None),
        (b"server = https://elsewhere.test\n[renewalparams]\nkey_type = ecdsa\n", None),
        (b"no section, no value\n", None),
        (b"[renewalparams]\nserver = https://ca.test/%(x)s\n", "https://ca.test/%(x)s"),
        (b"[renewalparams]\nserver = a\nserver = b\n", "b"),
        (b"\xff\xfe[renewalparams\n", None),
        (RENEWAL.replace(b"\n", b"\r\n"), "https://ca.test/dir"),
    ],
)
def test_the_server_is_read_from_the_renewal_file_or_unknown(renewal: bytes | None, server: str | None) -> None:
    lineage = read_lineage("a", CHAIN, KEY, renewal)
    assert lineage.server == server
    assert lineage.usable


@pytest.mark.parametrize(
    ("server", "staging"), [(LETSENCRYPT_STAGING, True), (LETSENCRYPT, False), ("https://ca.test/dir", False)]
)
def test_a_staging_certificate_is_recognized_by_its_server(server: str, staging: bool) -> None:
    renewal = f"[renewalparams]\nserver = {server}\n".encode()
    assert read_lineage("a", CHAIN, KEY, renewal).from_staging is staging


def test_times_are_in_utc() -> None:
    cert = read_certificate(CHAIN)
    assert cert.not_after.tzinfo is UTC
    assert isinstance(cert, Certificate)
    assert cert.days_left(datetime(2026, 6, 1, 12, tzinfo=UTC)) == 90


WHOLE = "".join(f"{kind} = /etc/letsencrypt/live/a/{kind}.pem\n" for kind in KINDS).encode() + RENEWAL
WHOLE += b"authenticator = webroot\nwebroot_path = /var/www/certbot,\n"


def judged(chain: bytes, renewal: bytes | None, *, linked: bool = True) -> Lineage:
    links = {kind: f"../../archive/a/{kind}1.pem" if linked else None for kind in KINDS}
    live = {"cert": CHAIN, "chain": b"", "fullchain": chain, "privkey": KEY}
    files = LineageFiles(live, links, frozenset({1}), renewal)
    return judged_lineage("a", files, judge("a", files, dict))


@pytest.mark.parametrize(
    ("chain", "renewal", "linked"),
    [
        (CHAIN, None, True),
        (CHAIN, b"[renewalparams]\n", True),
        (CHAIN, WHOLE, False),
        (CHAIN + b"-----BEGIN C", WHOLE, True),
    ],
    ids=["no renewal file", "a renewal file cut short", "copies instead of links", "a chain cut short"],
)
def test_what_lost_a_part_is_served_and_has_to_be_replaced(chain: bytes, renewal: bytes | None, linked: bool) -> None:
    lineage = judged(chain, renewal, linked=linked)
    assert lineage.usable
    assert not lineage.renewable
    assert judged(CHAIN, WHOLE).renewable
