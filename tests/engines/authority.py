"""The CA of a machine of the tests: Pebble and its resolver as processes in the network of its engine."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests import pebble
from tests.e2e.helpers import wait_until

ADDRESS = "10.99.0.1"
"""The address that containers reach the CA by, of rootless engines too."""

API, MANAGEMENT, DNS, DNS_MANAGEMENT = 14000, 15000, 8053, 8055
"""The ports of the lab's CA, which the tests know."""


@contextmanager
def running(folder: Path, inside: Sequence[str]) -> Iterator[None]:
    """Start a CA; below ``folder`` is then what 'make setup' writes to .lab."""
    files = folder / "ca"
    files.mkdir(parents=True)
    pebble.write_keys(files, ADDRESS)
    (files / "ca.pem").chmod(0o644)
    (files / "directory").write_text(f"https://{ADDRESS}:{API}/dir\n")
    (files / "pebble.json").write_text(
        pebble.configuration(str(files), API, MANAGEMENT, domainBlocklist=["blocked-domain.example"])
    )
    quiet = ("-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh")
    commands = [
        ("pebble-challtestsrv", "-dnsserver", f":{DNS}", "-management", f":{DNS_MANAGEMENT}", *quiet, ""),
        ("pebble", "-config", f"{files}/pebble.json", "-dnsserver", f"127.0.0.1:{DNS}"),
    ]
    with pebble.processes(files, *commands, inside=inside):
        wait_until(lambda: all(_listens(inside, port) for port in (API, MANAGEMENT, DNS_MANAGEMENT)), 30, "the CA runs")
        yield


def _listens(inside: Sequence[str], port: int) -> bool:
    """Whether something listens on a port in the CA's network."""
    printed = subprocess.run([*inside, "cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True, check=True)
    return any(
        line.split()[1].endswith(f":{port:04X}".encode()) for line in printed.stdout.splitlines() if b":" in line
    )
