"""The CA of a machine of the tests: Pebble and its resolver as processes in the network of its engine."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tests.bench.ca import write_keys
from tests.e2e.helpers import docker, wait_until

ADDRESS = "10.99.0.1"
"""The address that containers reach the CA by, of rootless engines too."""

PEBBLE = "stackctl-lab/pebble:latest"
API, MANAGEMENT, DNS, DNS_MANAGEMENT = 14000, 15000, 8053, 8055
"""The ports of the lab's CA, which the tests know."""

VARIABLES = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "5", "PEBBLE_AUTHZREUSE": "0"}


@contextmanager
def running(folder: Path, inside: Sequence[str]) -> Iterator[None]:
    """Start a CA; below ``folder`` is then what 'make setup' writes to .lab."""
    files = folder / "ca"
    files.mkdir(parents=True)
    write_keys(files, ADDRESS)
    (files / "ca.pem").chmod(0o644)
    (files / "directory").write_text(f"https://{ADDRESS}:{API}/dir\n")
    (files / "pebble.json").write_text(json.dumps({"pebble": _configuration(files)}))
    quiet = ("-defaultIPv4", "127.0.0.1", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh")
    commands = [
        ("pebble-challtestsrv", "-dnsserver", f":{DNS}", "-management", f":{DNS_MANAGEMENT}", *quiet, ""),
        ("pebble", "-config", f"{files}/pebble.json", "-dnsserver", f"127.0.0.1:{DNS}"),
    ]
    image = docker("create", PEBBLE, "true")
    try:
        for program, *_ in commands:
            docker("cp", f"{image}:/usr/bin/{program}", f"{files}/{program}")
    finally:
        docker("rm", image)
    with ExitStack() as stack:
        for program, *options in commands:
            process = subprocess.Popen(
                [*inside, f"{files}/{program}", *options],
                env={**os.environ, **VARIABLES},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(process.wait, 20)
            stack.callback(process.kill)
        wait_until(lambda: all(_listens(inside, port) for port in (API, MANAGEMENT, DNS_MANAGEMENT)), 30, "the CA runs")
        yield


def _listens(inside: Sequence[str], port: int) -> bool:
    """Whether something listens on a port in the CA's network."""
    printed = subprocess.run([*inside, "cat", "/proc/net/tcp", "/proc/net/tcp6"], capture_output=True, check=True)
    return any(
        line.split()[1].endswith(f":{port:04X}".encode()) for line in printed.stdout.splitlines() if b":" in line
    )


def _configuration(files: Path) -> dict[str, object]:
    return {
        "listenAddress": f"0.0.0.0:{API}",
        "managementListenAddress": f"0.0.0.0:{MANAGEMENT}",
        "certificate": f"{files}/cert.pem",
        "privateKey": f"{files}/key.pem",
        "httpPort": 80,
        "tlsPort": 443,
        "ocspResponderURL": "",
        "externalAccountBindingRequired": False,
        "domainBlocklist": ["blocked-domain.example"],
        "retryAfter": {"authz": 1, "order": 1},
        "keyAlgorithm": "ecdsa",
        "profiles": {
            "default": {"description": "90 days", "validityPeriod": 7776000},
            "shortlived": {"description": "6 days", "validityPeriod": 518400},
        },
    }
