"""Time: an expired certificate, a wrong clock, and a short-lived certificate that only the loops renew."""

from __future__ import annotations

import datetime as dt

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.e2e.helpers import APP_IMAGE, docker, wait_until
from tests.e2e.loops import SHORT_INTERVALS
from tests.faults.bed import Bed, Run, bed
from tests.faults.case import case, ended

FAMILY = "time"


def rows(run: Run) -> None:
    """Run the whole family."""
    with bed(run) as one:
        name = one.name("app")
        add = ["add-app", name, "--image", APP_IMAGE]
        one.stack.ok(*add)
        expected = one.state()
        one.stack.ok("remove-app", name, "--delete-cert", "--yes")

        def behind() -> str:
            return ended(one.stack.run_at(-24, *add))

        case(one, FAMILY, "`add-app` with the clock a day back", broken=behind, again=add, expected=expected)

        def idle() -> str:
            before = one.stack.state()
            done = one.stack.run_at(-24, "up")
            assert done.returncode == 0, ended(done)
            assert one.stack.state() == before, "something was changed"
            return "`up` changes nothing"

        case(one, FAMILY, "`up` with the clock a day back", broken=idle, again=["up"], expected=expected)

        def expired() -> str:
            serial = one.stack.serial(name)
            old = age(one, name, -90, -1)
            copy(one)
            assert one.stack.serial(name) == serial, "a copy that is valid goes on being served"
            (one.stack.directory / "data/certbot/deploy/pairs/lineages" / name).unlink()
            copy(one)
            wait_until(lambda: one.stack.serial(name) == old, 10, "the old one is served")
            return "the last valid copy is served, and the expired certificate without it"

        def trusted() -> None:
            assert one.stack.trusted(name)

        what = "a certificate already expired"
        case(one, FAMILY, what, broken=expired, again=["renew"], expected=expected, check=trusted)
        if not run.quick:
            alone(one, name)


def alone(one: Bed, name: str) -> None:
    """Shorten the intervals of both loops; stackctl is not called until the new certificate is served."""
    one.stack.edit("agree-tos: true\n", "agree-tos: true\n  profile: shortlived\n")
    (one.stack.directory / "docker-compose.override.yml").write_text(SHORT_INTERVALS)
    one.stack.ok("up")
    one.stack.ok("renew", "--force", name)
    expected = one.state()

    def aged() -> str:
        old = {one.stack.serial(name), age(one, name, -4, 2)}
        wait_until(lambda: one.stack.serial(name) not in old and one.stack.trusted(name), 60, "the loops renew it")
        shown = one.stack.certificate(name)
        assert shown.not_valid_after_utc - shown.not_valid_before_utc < dt.timedelta(days=7), "it is valid for six days"
        return "renewed and served by the loops alone"

    what = "a 6-day certificate, 2 days left"
    case(one, FAMILY, what, broken=aged, again=["renew"], expected=expected)


def copy(one: Bed) -> None:
    """Run certbot's deploy hook, which says what it refuses, and let the proxy load the copies."""
    docker("exec", one.stack.container("certbot"), "sh", "-c", "sh /var/lib/stackctl/copy-certificates || true")
    docker("exec", one.stack.container("nginx"), "nginx", "-s", "reload")


def age(one: Bed, name: str, begins: int, ends: int) -> int:
    """Replace a lineage's certificate by one with other dates, for the same key; return its serial number."""
    live = one.stack.live / name
    now = dt.datetime.now(dt.UTC)
    key = serialization.load_pem_private_key((live / "privkey.pem").read_bytes(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    issuer = ec.generate_private_key(ec.SECP256R1())
    made = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Old Pebble")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=begins))
        .not_valid_after(now + dt.timedelta(days=ends))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), critical=False)
        .sign(issuer, hashes.SHA256())
    )
    pem = made.public_bytes(serialization.Encoding.PEM)
    for file in ("cert.pem", "fullchain.pem"):
        (live / file).resolve().write_bytes(pem)
    return made.serial_number
