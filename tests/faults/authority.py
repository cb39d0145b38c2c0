"""A CA and resolver for the fault tests only: the other tests share the lab's, which must stay up."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import secrets
import shutil
import socket
import ssl
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import pebble
from tests.bench import lab
from tests.e2e.helpers import docker, trusting, wait_until

USER = 41234
"""Pebble runs as a separate user, so that firewall rules can match its packets only."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True)
class Authority:
    """A running CA."""

    folder: Path
    bridge: str
    token: str
    port: int
    management: int
    resolver: int
    dns: int

    @property
    def directory(self) -> str:
        return self.directory_at(self.port)

    def directory_at(self, port: int) -> str:
        return f"https://{self.bridge}:{port}/dir"

    @property
    def bundle(self) -> Path:
        return self.folder / "ca.pem"

    @property
    def context(self) -> ssl.SSLContext:
        return trusting(self.bundle.read_text())

    def root(self) -> str:
        """Return the current root certificate; Pebble creates a new one at every start."""
        connection = http.client.HTTPSConnection("localhost", self.management, context=self.context, timeout=5)
        try:
            connection.request("GET", "/roots/0")
            return connection.getresponse().read().decode()
        finally:
            connection.close()

    def restart(self) -> None:
        """Restart Pebble: it loses all accounts and orders and creates a new root."""
        before = self.root()
        docker("restart", "--time", "0", f"stackctl-lab-faults-pebble-{self.token}")
        wait_until(lambda: self.root() != before, 20, "Pebble answers again")

    def resolve(self, name: str, *addresses: str, six: str | None = None) -> None:
        """Set the resolver's records for ``name``; without an address, it answers that there is none."""
        self._ask("clear-a", {"host": name})
        self._ask("clear-aaaa", {"host": name})
        if addresses:
            self._ask("add-a", {"host": name, "addresses": list(addresses)})
        if six:
            self._ask("add-aaaa", {"host": name, "addresses": [six]})

    def _ask(self, action: str, what: dict[str, object]) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.resolver, timeout=5)
        try:
            connection.request("POST", f"/{action}", json.dumps(what))
            response = connection.getresponse()
            response.read()
            assert response.status == 200, f"{action}: {response.status}"
        finally:
            connection.close()

    def wants_renewed(self, certificate: str) -> bool:
        """Set the renewal information (ARI) of a certificate: due since yesterday."""
        now = dt.datetime.now(dt.UTC)
        window = {"start": now - dt.timedelta(days=2), "end": now - dt.timedelta(days=1)}
        told = {"suggestedWindow": {key: moment.isoformat(timespec="seconds") for key, moment in window.items()}}
        body = json.dumps({"certificate": certificate, "ariResponse": json.dumps(told)})
        connection = http.client.HTTPSConnection("localhost", self.management, context=self.context, timeout=5)
        try:
            connection.request("POST", "/set-renewal-info/", body, {"User-Agent": "stackctl tests"})
            response = connection.getresponse()
            response.read()
            return response.status == 200
        finally:
            connection.close()

    def answers(self) -> bool:
        self._ask("clear-a", {"host": "nobody.example.com"})
        return bool(self.root())


@contextmanager
def authority(
    *, bindings: dict[str, str] | None = None, contained: bool = True, server: str | None = None
) -> Iterator[Authority]:
    """Start Pebble with its defaults (it rejects 5 % of the nonces), without delays and reused authorizations.

    With ``bindings``, MAC keys by their IDs, an account must be bound by one of them. If it is not
    ``contained``, both are child processes, which run on when the engine is killed. ``server`` is the DNS server of
    the CA, in the place of the resolver here.
    """
    token = secrets.token_hex(3)
    folder = Path(tempfile.mkdtemp(prefix="stackctl-lab-faults-ca-"))
    port, management, resolver, dns = (free_port() for _ in range(4))
    made = Authority(folder, lab.gateway(), token, port, management, resolver, dns)
    pebble.write_keys(folder, made.bridge)
    home = "/ca" if contained else str(folder)
    bound = {"externalAccountBindingRequired": bindings is not None, "externalAccountMACKeys": bindings or {}}
    (folder / "pebble.json").write_text(pebble.configuration(home, port, management, **bound))
    folder.chmod(0o755)
    quiet = ("-defaultIPv4", "", "-defaultIPv6", "", "-http01", "", "-https01", "", "-tlsalpn01", "", "-doh", "")
    commands = [
        ("pebble-challtestsrv", "-dnsserver", f":{dns}", "-management", f":{resolver}", *quiet),
        ("pebble", "-config", f"{home}/pebble.json", "-dnsserver", server or f"127.0.0.1:{dns}"),
    ]
    start = _containers(made, *commands) if contained else pebble.processes(folder, *commands)
    try:
        with start:
            wait_until(made.answers, 30, "the CA and its resolver answer")
            yield made
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def _containers(made: Authority, resolver: Sequence[str], ca: Sequence[str]) -> Iterator[None]:
    """Start both in containers on the host's network."""
    names = [f"stackctl-lab-faults-{kind}-{made.token}" for kind in ("dns", "pebble")]
    run = ("run", "--detach", "--network", "host", "--name")
    options = [part for key, value in pebble.VARIABLES.items() for part in ("--env", f"{key}={value}")]
    options += ["--user", f"{USER}:{USER}", "--volume", f"{made.folder}:/ca:ro"]
    try:
        docker(*run, names[0], pebble.IMAGE, *resolver)
        docker(*run, names[1], *options, pebble.IMAGE, *ca)
        yield
    finally:
        subprocess.run(["docker", "rm", "--force", *names], capture_output=True, check=False, timeout=60)
