"""The checks of a certificate, its renewal file and the renewal loop: one fault fails exactly one check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from stackctl.certs.dummy import make_dummy
from stackctl.certs.held import Held, held
from stackctl.certs.lineage import Certificate, Lineage, read_certificate, read_lineage
from stackctl.certs.renewal import parse_renewal
from stackctl.certs.shelf import Shelf, Stored
from stackctl.diagnose import certificates as judged
from stackctl.diagnose.certificates import CertificateFacts, KeyFile, judge_certificate
from stackctl.diagnose.check import Verdict
from stackctl.diagnose.renewal import FILE, RenewalFacts, judge_renewal
from stackctl.model.acme import LETSENCRYPT_STAGING
from tests.unit.build import DAY, NOW, site

NAME = "a.example.com"
Key = ec.EllipticCurvePrivateKey
Made = tuple[x509.Certificate, Key]


def make(
    name: str,
    issuer: Made | None = None,
    *,
    names: Sequence[str] = (),
    days: tuple[float, float] = (-30, 60),
    access: bool = False,
) -> Made:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)])
    builder = (
        x509.CertificateBuilder(issuer[0].subject if issuer else subject, subject, key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + days[0] * DAY)
        .not_valid_after(NOW + days[1] * DAY)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([x509.DNSName(one) for one in names]), critical=False
        )
    if access:
        where = x509.UniformResourceIdentifier("http://ca.test/issuer.der")
        access_info = x509.AuthorityInformationAccess(
            [x509.AccessDescription(AuthorityInformationAccessOID.CA_ISSUERS, where)]
        )
        builder = builder.add_extension(access_info, critical=False)
    return builder.sign(issuer[1] if issuer else key, hashes.SHA256()), key


ROOT = make("Root", days=(-900, 900))
MIDDLE = make("Middle", ROOT, days=(-300, 300))
LEAF = make("leaf", MIDDLE, names=[NAME], access=True)
STRANGER = make("Middle", make("Another root"), days=(-300, 300))


def pem(*made: Made) -> bytes:
    return b"".join(one.public_bytes(serialization.Encoding.PEM) for one, _ in made)


def key(made: Made) -> bytes:
    private = serialization.PrivateFormat.PKCS8
    return made[1].private_bytes(serialization.Encoding.PEM, private, serialization.NoEncryption())


def shown(*chain: Made) -> Certificate:
    return read_certificate(pem(*chain))


def of(lineage: Lineage | None = None, stored: Certificate | None = None) -> Held:
    shelf = Shelf({NAME: lineage} if lineage else {}, {NAME: Stored.of(stored)} if stored else {})
    return held(site(NAME), shelf)


def facts(leaf: Made = LEAF, middle: Made = MIDDLE, **more: Any) -> CertificateFacts:
    usual = CertificateFacts(
        subject=NAME,
        names=(NAME,),
        held=of(read_lineage(NAME, pem(leaf, middle), key(leaf), b"[renewalparams]\nserver = https://ca.test/dir\n")),
        fullchain=pem(leaf, middle),
        chain=pem(middle),
        key_file=KeyFile(0o600, 0, 0),
        served=shown(leaf),
        proxy_up=True,
        now=NOW,
    )
    return replace(usual, **more)


def test_a_certificate_not_from_certbot_is_checked_as_served() -> None:
    one = read_certificate(pem(LEAF))
    found = {check.name: check for check in judge_certificate(facts(held=of(stored=one), fullchain=None))}
    assert set(found) == {"cert-issued", "cert-names", "cert-days", "cert-wire"}
    assert {check.verdict for check in found.values()} == {Verdict.OK}
    assert "served until its renewal is due" in found["cert-issued"].text
    late = facts(held=of(stored=one), now=one.not_after)
    assert {check.name for check in judge_certificate(late) if check.verdict is Verdict.WRONG} == {"cert-days"}


def verdicts(given: CertificateFacts) -> dict[str, Verdict]:
    return {check.name: check.verdict for check in judge_certificate(given)}


def wrong(given: CertificateFacts) -> list[tuple[str, str]]:
    return [(check.name, check.text) for check in judge_certificate(given) if check.verdict is Verdict.WRONG]


def test_valid_certificate() -> None:
    assert verdicts(facts()) == dict.fromkeys((judged.ISSUED, *judged.ON_DISK), Verdict.OK)


def aged(before: float, after: float) -> CertificateFacts:
    return facts(make("leaf", MIDDLE, names=[NAME], days=(before, after)))


def dummy() -> Certificate:
    return read_certificate(make_dummy([NAME], NOW)[0])


@pytest.mark.parametrize(
    ("given", "name", "text"),
    [
        (facts(held=of(), served=dummy()), judged.ISSUED, "a dummy is served"),
        (facts(held=of(read_lineage(NAME, None, b"", None))), judged.ISSUED, "fullchain.pem is missing"),
        (facts(held=of(read_lineage(NAME, b"x", b"", None))), judged.ISSUED, "is not a certificate"),
        (facts(fullchain=pem(LEAF)), judged.CHAIN, "lacks the intermediate O=Middle"),
        (facts(fullchain=pem(LEAF), chain=None), judged.CHAIN, "only the leaf"),
        (facts(fullchain=pem(LEAF, STRANGER), chain=None), judged.CHAIN, "1 of fullchain.pem is not signed by"),
        (facts(fullchain=pem(LEAF, MIDDLE, STRANGER)), judged.CHAIN, "2 of fullchain.pem is not signed by"),
        (facts(fullchain=pem(LEAF, MIDDLE)[:-99]), judged.CHAIN, "truncated"),
        (
            facts(LEAF, held=of(read_lineage(NAME, pem(LEAF), key(MIDDLE), None))),
            judged.KEY,
            "does not match the certificate",
        ),
        (
            facts(held=of(read_lineage(NAME, pem(LEAF), b"?", None))),
            judged.KEY,
            "privkey.pem is not a readable private key",
        ),
        (facts(key_file=KeyFile(0o644, 0, 0)), judged.KEY_FILE, "mode 0644"),
        (facts(key_file=KeyFile(0o660, 0, 0)), judged.KEY_FILE, "mode 0660"),
        (facts(key_file=KeyFile(0o600, 1000, 0)), judged.KEY_FILE, "belongs to uid 1000"),
        (facts(names=(NAME, "www.example.com")), judged.NAMES, "does not cover www.example.com"),
        (aged(-95, -5), judged.DAYS, "it expired on 2026-05-27"),
        (aged(1, 60), judged.DAYS, "not valid before 2026-06-02"),
        (aged(-80, 10), judged.DAYS, "10 days left: its renewal is overdue"),
        (aged(-5, 1), judged.DAYS, "1 days left: its renewal is overdue"),
        (facts(served=None), judged.WIRE, "refused"),
        (facts(served=shown(MIDDLE)), judged.WIRE, "a reload is missing"),
        (facts(served=dummy()), judged.WIRE, "although the certificate is on disk"),
    ],
)
def test_one_fault_fails_exactly_one_check(given: CertificateFacts, name: str, text: str) -> None:
    found = wrong(given)
    assert [one for one, _ in found] == [name]
    assert text in found[0][1]


def test_an_expired_intermediate_is_reported() -> None:
    old = make("Middle", ROOT, days=(-300, -1))
    assert wrong(facts(make("leaf", old, names=[NAME]), old)) == [
        (judged.CHAIN, "certificate 2 of fullchain.pem is only valid from 2025-08-05 to 2026-05-31")
    ]


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (facts(proxy_up=False, served=None), judged.WIRE),
        (facts(key_file=None), judged.KEY_FILE),
        (facts(held=of(read_lineage(NAME, pem(LEAF), key(MIDDLE), None))), judged.WIRE),
        (facts(held=of()), judged.DAYS),
    ],
)
def test_a_check_that_depends_on_a_failed_one_is_not_judged(given: CertificateFacts, name: str) -> None:
    assert verdicts(given)[name] is Verdict.UNKNOWN


def test_a_certificate_of_a_test_ca_is_unknown() -> None:
    staging = read_lineage(
        NAME,
        pem(LEAF),
        key(LEAF),
        b"[renewalparams]\nserver = https://acme-staging-v02.api.letsencrypt.org/directory\n",
    )
    issued = judge_certificate(facts(held=of(staging)))[0]
    assert (issued.verdict, "init --ca letsencrypt" in (issued.todo or "")) == (Verdict.UNKNOWN, True)


@pytest.mark.parametrize(
    "given",
    [
        facts(key_file=KeyFile(0o640, 0, 0)),
        facts(make("leaf", MIDDLE, names=["*.example.com"])),
        aged(-62, 28),
        facts(fullchain=pem(make("leaf", names=[NAME])), chain=b""),
    ],
    ids=["group", "wildcard", "due", "no intermediate"],
)
def test_harmless_states_fail_no_check(given: CertificateFacts) -> None:
    assert wrong(given) == []


# The renewal file

RENEWAL = """\
# renew_before_expiry = 30 days
version = 5.5.0
archive_dir = /etc/letsencrypt/archive/a.example.com
cert = /etc/letsencrypt/live/a.example.com/cert.pem
privkey = /etc/letsencrypt/live/a.example.com/privkey.pem
chain = /etc/letsencrypt/live/a.example.com/chain.pem
fullchain = /etc/letsencrypt/live/a.example.com/fullchain.pem

# Options used in the renewal process
[renewalparams]
account = 9bd686
key_type = ecdsa
server = https://ca.test/dir
authenticator = webroot
webroot_path = /var/www/certbot,
[[webroot_map]]
a.example.com = /var/www/certbot
"""


def renewal(text: str | None = RENEWAL, **more: Any) -> RenewalFacts:
    usual = RenewalFacts(
        subject=NAME,
        lineage=NAME,
        names=(NAME,),
        text=text,
        accounts=frozenset({"ca.test/dir/9bd686"}),
        directory="https://ca.test/dir",
    )
    return replace(usual, **more)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (renewal(None), "renewal/a.example.com.conf is missing"),
        (renewal(RENEWAL.partition("[renewalparams]")[0]), "truncated"),
        (renewal(RENEWAL.replace("9bd686", "other")), "account other is not under accounts/"),
        (renewal(accounts=frozenset()), "account 9bd686 is not under accounts/"),
        (
            renewal(RENEWAL.replace("/live/a.example.com/cert", "/live/b/cert")),
            "cert is /etc/letsencrypt/live/b/cert.pem",
        ),
        (renewal(RENEWAL.replace("= webroot\n", "= standalone\n")), "standalone, not webroot"),
        (renewal(RENEWAL.replace("com = /var/www/certbot", "com = /srv/old")), "webroot is /srv/old"),
        (renewal(RENEWAL.partition("[[")[0].replace("/var/www", "/srv")), "webroot is /srv/certbot"),
        (renewal(fault="live/a/chain.pem is not a link", repairable=True), "chain.pem is not a link"),
        (renewal(None, fault="renewal/a.conf is missing"), "renewal/a.conf is missing"),
    ],
)
def test_invalid_renewal_file(given: RenewalFacts, text: str) -> None:
    check = judge_renewal(given)
    assert (check.name, check.verdict) == (FILE, Verdict.WRONG)
    assert ("repairs" in (check.todo or "")) is given.repairable
    assert text in check.text
    assert "stackctl" in (check.todo or "")


@pytest.mark.parametrize(
    ("given", "verdict", "text"),
    [
        (renewal(), Verdict.OK, "is valid"),
        (renewal(RENEWAL.partition("[[")[0]), Verdict.OK, "is valid"),
        (
            renewal(directory="https://other.test/dir"),
            Verdict.WRONG,
            "it names https://ca.test/dir, and there is no account at https://other.test/dir",
        ),
        (
            renewal(directory=LETSENCRYPT_STAGING),
            Verdict.OK,
            "it uses https://ca.test/dir, not the CA of the stack",
        ),
        (renewal(links_known=False), Verdict.UNKNOWN, "the links cannot be read"),
    ],
)
def test_renewal_file_of_a_lineage_that_certbot_renews(given: RenewalFacts, verdict: Verdict, text: str) -> None:
    check = judge_renewal(given)
    assert (check.verdict, text in check.text) == (verdict, True)


def test_parse_renewal() -> None:
    file = parse_renewal(RENEWAL)
    assert (file.server, file.account, file.webroots) == (
        "https://ca.test/dir",
        "9bd686",
        {"a.example.com": "/var/www/certbot"},
    )
    assert file.paths["archive_dir"] == "/etc/letsencrypt/archive/a.example.com"
