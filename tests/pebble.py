"""What every Pebble of the tests needs besides the lab's: its keys, its settings, and its programs."""

from __future__ import annotations

import datetime as dt
import ipaddress
import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.e2e.helpers import docker

IMAGE = "stackctl-lab/pebble:latest"
VARIABLES = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5", "PEBBLE_AUTHZREUSE": "0"}
"""Without delays and without reused authorizations; it refuses one nonce in twenty, as by default."""

PROFILES = {
    "default": {"description": "90 days", "validityPeriod": 7776000},
    "shortlived": {"description": "6 days", "validityPeriod": 518400},
}


def configuration(home: str, api: int, management: int, **more: object) -> str:
    """Return the configuration file of a Pebble whose keys are in ``home``; ``more`` adds settings or replaces them."""
    settings = {
        "listenAddress": f"0.0.0.0:{api}",
        "managementListenAddress": f"0.0.0.0:{management}",
        "certificate": f"{home}/cert.pem",
        "privateKey": f"{home}/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
        "retryAfter": {"authz": 1, "order": 1},
        "keyAlgorithm": "ecdsa",
        "profiles": PROFILES,
    }
    return json.dumps({"pebble": {**settings, **more}})


@contextmanager
def processes(folder: Path, *commands: Sequence[str], inside: Sequence[str] = ()) -> Iterator[None]:
    """Run Pebble's programs as processes, copied from the image to ``folder``; ``inside`` is a prefix of commands."""
    image = docker("create", IMAGE, "true")
    try:
        for program, *_ in commands:
            docker("cp", f"{image}:/usr/bin/{program}", f"{folder}/{program}")
    finally:
        docker("rm", image)
    with ExitStack() as stack:
        for program, *options in commands:
            process = subprocess.Popen(
                [*inside, f"{folder}/{program}", *options],
                env={**os.environ, **VARIABLES},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait, 20)
            stack.callback(process.kill)
        yield


def write_keys(folder: Path, address: str) -> None:
    """Create a throwaway CA and the certificate of the ACME API."""
    now = dt.datetime.now(dt.UTC)
    ca_key, api_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stackctl tests: CA of the ACME API")])

    def begun(subject: x509.Name, public: ec.EllipticCurvePublicKey, *, ca: bool) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(hours=1))
            .not_valid_after(now + dt.timedelta(days=30))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
            .add_extension(_usage(signs=ca), critical=True)
        )

    root = begun(ca_name, ca_key.public_key(), ca=True).sign(ca_key, hashes.SHA256())
    names: list[x509.GeneralName] = [x509.DNSName("localhost")]
    names += [x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", address)]
    leaf = (
        begun(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "pebble")]), api_key.public_key(), ca=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(ca_key, hashes.SHA256())
    )
    (folder / "ca.pem").write_bytes(root.public_bytes(serialization.Encoding.PEM))
    (folder / "cert.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(pem_of(api_key))


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
