"""Faults of a stack as context managers: each breaks one thing and repairs it at the end."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from stackctl.certs.issuer import copies
from stackctl.model.layout import CHECKED
from tests.e2e.helpers import Stack, docker, inspect, wait_until

Breaks = Callable[[Stack, str], AbstractContextManager[object]]
"""Breaks something of a stack, about the app of that name."""


@dataclass(frozen=True)
class Ailment:
    """A fault, and the check that must report it with ``text``."""

    breaks: Breaks
    check: str
    text: str
    subject: str | None = "sick"


@contextmanager
def service(stack: Stack, *lines: str) -> Iterator[str]:
    """Recreate the service ``sick`` with more lines in docker-compose.yml; yields its container."""
    before = stack.file.read_text()
    stack.edit("  sick:\n", "  sick:\n" + "".join(f"    {line}\n" for line in ("stop_grace_period: 0s", *lines)))
    try:
        stack.compose("up", "-d", "--no-deps", "sick")
        yield stack.container("sick")
    finally:
        stack.file.write_text(before)
        stack.compose("up", "-d", "--no-deps", "sick")


def python(code: str) -> str:
    return f"command: {json.dumps(['python3', '-uc', code])}"


@contextmanager
def wrong_port(stack: Stack, _name: str) -> Iterator[None]:
    with service(stack, 'environment: {PORT: "9000"}') as container:
        wait_until(lambda: ":9000" in listening(container) or None, what="it listens on 9000")
        yield


@contextmanager
def loopback(stack: Stack, _name: str) -> Iterator[None]:
    code = "import http.server as s; s.HTTPServer(('127.0.0.1', 8000), s.SimpleHTTPRequestHandler).serve_forever()"
    with service(stack, python(code)) as container:
        wait_until(lambda: "127.0.0.1:8000" in listening(container) or None, what="it listens on 127.0.0.1")
        yield


@contextmanager
def crash_loop(stack: Stack, _name: str) -> Iterator[None]:
    with service(stack, python("raise SystemExit('no database')")) as container:
        wait_until(lambda: inspect(container)["RestartCount"] > 1, what="it was restarted")
        yield


@contextmanager
def starting(stack: Stack, _name: str) -> Iterator[None]:
    check = "healthcheck: {test: [CMD, 'false'], interval: 60s, start_period: 60s}"
    with service(stack, python("import time; time.sleep(600)"), check):
        yield


@contextmanager
def unhealthy(stack: Stack, _name: str) -> Iterator[None]:
    check = "healthcheck: {test: [CMD-SHELL, 'echo the queue is full; exit 1'], interval: 1s, retries: 1}"
    with service(stack, check) as container:
        wait_until(lambda: inspect(container)["State"]["Health"]["Status"] == "unhealthy", what="it is unhealthy")
        yield


@contextmanager
def stopped(stack: Stack, _name: str) -> Iterator[None]:
    docker("stop", "--time", "1", stack.container("sick"))
    try:
        yield
    finally:
        stack.compose("up", "-d", "--no-deps", "sick")


@contextmanager
def another_network(stack: Stack, _name: str) -> Iterator[None]:
    container, own, other = stack.container("sick"), f"{stack.project}_default", f"{stack.project}_other"
    docker("network", "create", "--label", f"com.docker.compose.project={stack.project}", other)
    docker("network", "connect", other, container)
    docker("network", "disconnect", own, container)
    try:
        yield
    finally:
        stack.compose("up", "-d", "--no-deps", "--force-recreate", "sick")
        docker("network", "rm", other)


@contextmanager
def open_key(stack: Stack, name: str) -> Iterator[None]:
    key = stack.live / name / "privkey.pem"
    key.chmod(0o644)
    try:
        yield
    finally:
        key.chmod(0o600)


@contextmanager
def no_renewal_file(stack: Stack, name: str) -> Iterator[None]:
    file = stack.directory / f"data/certbot/conf/renewal/{name}.conf"
    aside = file.rename(f"{file}.aside")
    try:
        yield
    finally:
        aside.rename(file)


@contextmanager
def no_account(stack: Stack, name: str) -> Iterator[None]:
    file = stack.directory / f"data/certbot/conf/renewal/{name}.conf"
    before = file.read_text()
    file.write_text(before.replace("account = ", "account = 0000"))
    try:
        yield
    finally:
        file.write_text(before)


@contextmanager
def no_loop(stack: Stack, _name: str) -> Iterator[None]:
    stack.compose("stop", "certbot")
    checked = stack.directory / CHECKED.path
    before = checked.read_bytes() if checked.exists() else b""
    try:
        yield
    finally:
        stack.compose("start", "certbot")
        # It begins with a round, which would meet the next fault.
        wait_until(lambda: checked.exists() and checked.read_bytes() != before, 60, "the first round is over")


@contextmanager
def replaced(stack: Stack, name: str) -> Iterator[x509.Certificate]:
    """Another certificate on disk, and no reload."""
    with on_disk(stack, name, days=60) as leaf:
        yield leaf


@contextmanager
def expired(stack: Stack, name: str) -> Iterator[None]:
    """An expired certificate, which is served."""
    before = stack.serial(name)
    try:
        with on_disk(stack, name, days=-1) as leaf:
            reload(stack, name, leaf.serial_number)
            yield
    finally:
        reload(stack, name, before)


def reload(stack: Stack, name: str, serial: int) -> None:
    docker("exec", stack.container("nginx"), "nginx", "-e", "/dev/stderr", "-s", "reload")
    wait_until(lambda: stack.serial(name) == serial, what="the other certificate is served")


@contextmanager
def on_disk(stack: Stack, name: str, *, days: float) -> Iterator[x509.Certificate]:
    """A lineage whose files, and their copies for the proxy, are of another certificate, which ends in ``days``."""
    files = {kind: (stack.live / name / f"{kind}.pem").resolve() for kind in ("cert", "chain", "fullchain", "privkey")}
    before = {path: path.read_bytes() for path in files.values()}
    content, leaf = made(name, days)
    try:
        for kind, path in files.items():
            path.write_bytes(content[kind])
        copy_pair(stack, name)
        yield leaf
    finally:
        for path, old in before.items():
            path.write_bytes(old)
        copy_pair(stack, name)


def copy_pair(stack: Stack, name: str) -> None:
    """Copy a lineage for the proxy, as it is."""
    home = stack.directory / "data/certbot/deploy/pairs"
    copies.copy(home, copies.LINEAGES, name, copies.read(stack.live / name))


def made(name: str, days: float) -> tuple[dict[str, bytes], x509.Certificate]:
    """The four files of a lineage for ``name``, of a CA made for it, and the leaf."""
    now = datetime.now(UTC)
    issuer_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Another CA")])

    def signed(builder: Any, lasts: float) -> x509.Certificate:
        start = now - timedelta(days=60)
        builder = builder.issuer_name(authority).serial_number(x509.random_serial_number()).not_valid_before(start)
        certificate: x509.Certificate = builder.not_valid_after(now + timedelta(days=lasts)).sign(
            issuer_key, hashes.SHA256()
        )
        return certificate

    root = x509.CertificateBuilder().subject_name(authority).public_key(issuer_key.public_key())
    leaf = x509.CertificateBuilder().subject_name(x509.Name([])).public_key(key.public_key())
    leaf = leaf.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=True)
    chain, cert = signed(root, 900), signed(leaf, days)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    first, rest = cert.public_bytes(pem), chain.public_bytes(pem)
    return {"cert": first, "chain": rest, "fullchain": first + rest, "privkey": private}, cert


def listening(container: str) -> str:
    """Return the sockets a container listens on, as ADDRESS:PORT each."""
    pid = inspect(container)["State"]["Pid"]
    rows = [line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:]]
    found = [row[1].split(":") for row in rows if row[3] == "0A"]
    return " ".join(f"{'.'.join(str(byte) for byte in bytes.fromhex(at)[::-1])}:{int(port, 16)}" for at, port in found)


APPS = {
    "wrong port": Ailment(wrong_port, "app-port", "wrong port: nothing listens on 8000"),
    "loopback": Ailment(loopback, "app-port", "listens on 127.0.0.1:8000 only"),
    "starting": Ailment(starting, "app-port", "still starting"),
    "crash loop": Ailment(crash_loop, "app-container", "last log line: no database"),
    "stopped": Ailment(stopped, "app-container", "is not running: exited"),
    "network": Ailment(another_network, "app-network", "shares no network with the proxy"),
}
"""What makes the proxy answer 502."""

HEALTH = {"unhealthy": Ailment(unhealthy, "app-health", "the queue is full")}

CERTIFICATES = {
    "open key": Ailment(open_key, "cert-key-file", "mode 0644"),
    "no renewal file": Ailment(no_renewal_file, "cert-renewal", "is missing"),
    "no account": Ailment(no_account, "cert-renewal", "differs from x-stackctl: account"),
    "no loop": Ailment(no_loop, "certbot", "nothing is issued or renewed", None),
    "replaced": Ailment(replaced, "cert-wire", "a reload is missing"),
    "expired": Ailment(expired, "cert-days", "it expired on"),
}
