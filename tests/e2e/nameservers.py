"""Name servers of the tests' own: BIND in three containers, as a root with a TLD, a primary, and its secondary."""

from __future__ import annotations

import base64
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from stackctl.certs.dns01 import client
from tests.e2e.helpers import docker, inspect, wait_until

IMAGE = "stackctl-lab/bind:latest"
KEY = "stackctl"
ALGORITHM = "hmac-sha256"

_WAIT = "until [ -e /lab/go ]; do sleep 0.1; done; exec named -g -c /lab/named.conf"
_OPTIONS = """\
options {{
  directory "/lab"; pid-file none; session-keyfile none; listen-on {{ any; }}; listen-on-v6 {{ none; }};
  recursion {recursion}; dnssec-validation no; allow-transfer {{ any; }}; allow-query {{ any; }}; minimal-responses no;
  max-cache-ttl 1; max-ncache-ttl 1; empty-zones-enable no; managed-keys-directory "/tmp"; notify-delay 0;
}};
controls {{ }};
"""
_ZONE = """\
$TTL 1
@ IN SOA ns1.example.test. nobody.example.test. 1 {refresh} 1 86400 1
"""


@dataclass
class Zone:
    """A zone of the primary: its records, its rights, and how its secondary learns of changes.

    Attributes:
        grants: the lines of its ``update-policy``; none for a zone that nobody may change.
        refresh: after how many seconds the secondary asks by itself.
        notify: whether the primary tells it at once.
        secondary: whether the second server serves it at all.
        parent: the servers by the parent zone, and ``own`` by the zone itself.
    """

    records: str = ""
    grants: str = ""
    refresh: int = 86400
    notify: bool = True
    secondary: bool = True
    parent: tuple[str, ...] = ("ns1", "ns2")
    own: tuple[str, ...] = ("ns1", "ns2")


@dataclass
class NameServers:
    """The running servers; ``network`` is the network that they are in."""

    zones: Mapping[str, Zone]
    folder: Path
    network: str
    secret: str = field(default_factory=lambda: base64.b64encode(secrets.token_bytes(32)).decode())
    addresses: dict[str, str] = field(default_factory=dict)

    @property
    def resolver(self) -> str:
        return self.addresses["ns0"]

    def container(self, server: str) -> str:
        return f"{self.network}-{server}"

    def start(self) -> None:
        docker("network", "create", self.network)
        for server in ("ns0", "ns1", "ns2"):
            home = self.folder / server
            home.mkdir(mode=0o755)
            run = ("run", "--detach", "--network", self.network, "--name", self.container(server))
            docker(*run, "--volume", f"{home}:/lab", IMAGE, "sh", "-c", _WAIT)
            networks = inspect(self.container(server))["NetworkSettings"]["Networks"]
            self.addresses[server] = networks[self.network]["IPAddress"]
        self._root()
        for name, zone in self.zones.items():
            (self.folder / f"ns1/{name}.zone").write_text(self._text(name, zone))
        self.configure()
        for server in self.addresses:
            (self.folder / server / "go").touch()
        for name in self.zones:
            wait_until(lambda name=name: self.asked(name), 30, f"{name} is served")  # type: ignore[misc]

    def configure(self, *, revoked: bool = False) -> None:
        """Write the configuration of all servers; with ``revoked`` the primary does not know the key any more."""
        key = f'key "{KEY}" {{ algorithm {ALGORITHM}; secret "{self.secret}"; }};\n'
        primary = _OPTIONS.format(recursion="no") + ("" if revoked else key)
        secondary = _OPTIONS.format(recursion="no")
        for name, zone in self.zones.items():
            policy = "" if revoked or not zone.grants else f"update-policy {{ {zone.grants} }};"
            told = f"explicit; also-notify {{ {self.addresses['ns2']}; }}" if zone.notify and zone.secondary else "no"
            primary += f'zone "{name}" {{ type primary; file "{name}.zone"; notify {told}; {policy} }};\n'
            if zone.secondary:
                often = f"min-refresh-time {zone.refresh}; max-refresh-time {zone.refresh};"
                asks = often if zone.refresh < 300 else ""
                source = f"primaries {{ {self.addresses['ns1']}; }}"
                secondary += f'zone "{name}" {{ type secondary; file "{name}.copy"; {source}; notify no; {asks} }};\n'
        (self.folder / "ns1/named.conf").write_text(primary)
        (self.folder / "ns2/named.conf").write_text(secondary)

    def revoke(self) -> None:
        """Let the primary forget the key."""
        self.configure(revoked=True)
        docker("kill", "--signal", "HUP", self.container("ns1"))

    def asked(self, name: str) -> bool:
        """Whether each server that serves a zone has loaded it."""
        servers = ["ns1", *(["ns2"] if self.zones[name].secondary else [])]
        try:
            return all(client.ask((self.addresses[server], 53), name, client.SOA).answers for server in servers)
        except client.Unanswered:
            return False

    def _root(self) -> None:
        home = self.folder / "ns0"
        options = _OPTIONS.format(recursion="yes")
        own = 'zone "." { type primary; file "root.zone"; };\nzone "test" { type primary; file "test.zone"; };\n'
        (home / "named.conf").write_text(options + own)
        here = f"@ IN NS ns0.test.\nns0.test. IN A {self.addresses['ns0']}\n"
        (home / "root.zone").write_text(_ZONE.format(refresh=86400) + here + "test. IN NS ns0.test.\n")
        servers = [f"{one}.example.test. IN A {self.addresses[one]}\n" for one in ("ns1", "ns2")]
        pairs = [(name, one) for name, zone in self.zones.items() for one in zone.parent]
        delegations = [f"{name}. IN NS {one}.example.test.\n" for name, one in pairs]
        (home / "test.zone").write_text(_ZONE.format(refresh=86400) + here + "".join([*delegations, *servers]))

    def _text(self, name: str, zone: Zone) -> str:
        servers = "".join(f"@ IN NS {one}.example.test.\n" for one in zone.own)
        glue = [f"{one} IN A {self.addresses[one]}\n" for one in ("ns1", "ns2")] if name == "example.test" else []
        return _ZONE.format(refresh=zone.refresh) + servers + "".join(glue) + zone.records

    def remove(self) -> None:
        names = [self.container(server) for server in ("ns0", "ns1", "ns2")]
        subprocess.run(["docker", "rm", "--force", *names], capture_output=True, check=False, timeout=60)
        subprocess.run(["docker", "network", "rm", self.network], capture_output=True, check=False, timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextmanager
def name_servers(zones: Mapping[str, Zone]) -> Iterator[NameServers]:
    """Start the servers of ``zones``, one of which is example.test, with the names of the servers."""
    folder = Path(tempfile.mkdtemp(prefix="stackctl-lab-dns-"))
    folder.chmod(0o755)
    made = NameServers(zones, folder, f"stackctl-lab-dns-{secrets.token_hex(3)}")
    try:
        made.start()
        yield made
    finally:
        made.remove()
