"""Create stacks with any number of apps quickly, by writing the whole Compose file."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.bench import lab
from tests.bench.ca import Ca
from tests.pebble import pem_of

OLDEST_AGE = dt.timedelta(days=58)
"""Certificates of 90 days are due after 60."""


def names_of(label: str, count: int) -> list[str]:
    return [f"app{number}.{label}.example.com" for number in range(1, count + 1)]


def apps_block(names: Sequence[str], upstream: str) -> str:
    """Return ``x-stackctl`` with an app outside Compose for each name."""
    items = "".join(f'    - domains:\n        - {name}\n      upstream: "{upstream}"\n' for name in names)
    return f"x-stackctl:\n  apps:\n{items}"


def init_arguments(ca: Ca, address: str) -> list[str | Path]:
    return [
        *("init", "--email", "you@example.com", "--agree-tos", "--ca", ca.directory, "--ca-bundle", ca.bundle),
        *("--http", f"{address}:80", "--https", f"{address}:443"),
        *("--nginx-image", lab.NGINX, "--certbot-image", lab.CERTBOT),
    ]


def add_apps(directory: Path, names: Sequence[str], upstream: str) -> None:
    """Add ``names`` to the file that 'init' has written."""
    file = directory / "docker-compose.yml"
    text = file.read_text()
    if "\n  apps:" in text:
        raise lab.BenchError("docker-compose.yml already has apps")
    block = apps_block(names, upstream).removeprefix("x-stackctl:\n")
    file.write_text(re.sub(r"^x-stackctl:\n", f"x-stackctl:\n{block}", text, count=1, flags=re.MULTILINE))


def write_lineages(directory: Path, names: Sequence[str], server: str) -> None:
    """Create certbot's tree with a certificate for each name.

    As in a stack that has renewed for a while, the certificates have all ages at which none is due yet.
    """
    conf = directory / "data/certbot/conf"
    now = dt.datetime.now(dt.UTC)
    issuer_key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "stackctl bench")])
    chain = _certificate("ca.example.com", issuer, issuer_key, issuer_key, now)
    for folder in ("live", "archive", "renewal"):
        (conf / folder).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names):
        made = now - number * OLDEST_AGE / len(names)
        key = ec.generate_private_key(ec.SECP256R1())
        leaf = _certificate(name, issuer, issuer_key, key, made)
        files = {"cert": leaf, "chain": chain, "fullchain": leaf + chain, "privkey": pem_of(key)}
        live, archive = conf / "live" / name, conf / "archive" / name
        live.mkdir()
        archive.mkdir()
        for kind, content in files.items():
            (archive / f"{kind}1.pem").write_bytes(content)
            (live / f"{kind}.pem").symlink_to(f"../../archive/{name}/{kind}1.pem")
        paths = "".join(f"{kind} = /etc/letsencrypt/live/{name}/{kind}.pem\n" for kind in files)
        (conf / "renewal" / f"{name}.conf").write_text(
            f"version = 5.5.0\narchive_dir = /etc/letsencrypt/archive/{name}\n{paths}\n[renewalparams]\n"
            f"authenticator = webroot\nwebroot_path = /var/www/certbot,\nserver = {server}\nkey_type = ecdsa\n"
        )


def _certificate(
    name: str,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    key: ec.EllipticCurvePrivateKey,
    now: dt.datetime,
) -> bytes:
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]) if key is not issuer_key else issuer)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=90))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
        .add_extension(x509.BasicConstraints(ca=key is issuer_key, path_length=None), critical=True)
        .sign(issuer_key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
