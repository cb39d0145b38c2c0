"""Start a Pebble separate from the lab's: a new one for every run, so that the runs are independent."""

from __future__ import annotations

import datetime as dt
import http.client
import ipaddress
import json
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.bench import lab

API, MANAGEMENT, DNS_MANAGEMENT = 24000, 25000, 28055


@dataclass(frozen=True)
class Ca:
    """A running CA: its ACME directory as seen from containers and from this host, and the root certificates."""

    directory: str
    local: str
    bundle: Path
    root: str


@contextmanager
def fresh_ca(address: str) -> Iterator[Ca]:
    """Start a new CA whose resolver returns ``address`` for every name.

    One profile (Pebble takes any of several at random), no artificial delays, no refused nonces
    (it refuses one in twenty at random by default, which hits a run or not), no reused authorizations.
    """
    bridge = lab.gateway()
    files = lab.OUT / "ca"
    files.mkdir(parents=True, exist_ok=True)
    write_keys(files, bridge)
    (files / "pebble.json").write_text(json.dumps({"pebble": _configuration()}))
    quiet = ("-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
    settings = ("PEBBLE_VA_NOSLEEP=1", "PEBBLE_WFE_NONCEREJECT=0", "PEBBLE_AUTHZREUSE=0")
    with ExitStack() as stack:
        answering = ("-defaultIPv4", address, "-dnsserver", f":{lab.DNS}", "-management", f":{DNS_MANAGEMENT}")
        stack.enter_context(lab.container("dns", lab.PEBBLE, "pebble-challtestsrv", *answering, *quiet))
        options = [part for setting in settings for part in ("--env", setting)]
        command = ("pebble", "-config", "/ca/pebble.json", "-dnsserver", f"127.0.0.1:{lab.DNS}")
        stack.enter_context(lab.container("pebble", *options, "--volume", f"{files}:/ca:ro", lab.PEBBLE, *command))
        context = lab.trusting((files / "ca.pem").read_text())
        lab.wait_until(lambda: _fetch(API, "/dir", context), "Pebble answers")
        lab.wait_until(lambda: lab.plain_status("127.0.0.1", DNS_MANAGEMENT), "the resolver answers")
        yield Ca(
            f"https://{bridge}:{API}/dir",
            f"https://127.0.0.1:{API}/dir",
            files / "ca.pem",
            _fetch(MANAGEMENT, "/roots/0", context),
        )


def point(names: list[str], address: str) -> None:
    """Change the address that the CA's resolver returns for ``names``."""
    for name in names:
        connection = http.client.HTTPConnection("127.0.0.1", DNS_MANAGEMENT, timeout=5)
        try:
            connection.request("POST", "/add-a", json.dumps({"host": name, "addresses": [address]}))
            connection.getresponse().read()
        finally:
            connection.close()


def _fetch(port: int, path: str, context: ssl.SSLContext) -> str:
    connection = http.client.HTTPSConnection("localhost", port, context=context, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def _configuration() -> dict[str, object]:
    return {
        "listenAddress": f"0.0.0.0:{API}",
        "managementListenAddress": f"0.0.0.0:{MANAGEMENT}",
        "certificate": "/ca/cert.pem",
        "privateKey": "/ca/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
        "retryAfter": {"authz": 1, "order": 1},
        "keyAlgorithm": "ecdsa",
        "profiles": {"default": {"description": "90 days", "validityPeriod": 7776000}},
    }


def write_keys(folder: Path, address: str) -> None:
    """Create a throwaway CA and the certificate of the ACME API."""
    now = dt.datetime.now(dt.UTC)
    ca_key, api_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stackctl bench: CA of the ACME API")])

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
