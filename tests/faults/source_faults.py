"""Faults of certificates that do not come over HTTP-01: by DNS-01, imported, and of the stack's own CA."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tests.authority import Authority
from tests.e2e.helpers import APP_IMAGE, docker, wait_until
from tests.e2e.nameservers import KEY, NameServers, Zone, name_servers
from tests.faults.authority import authority
from tests.faults.bed import Bed, Run, bare, bed
from tests.faults.case import case, ended

DNS, IMPORTED, LOCAL = "DNS-01", "imported", "local CA"

_CERTBOT = "stackctl-lab/certbot-dns:latest"
_STEADY, _APP, _LATE, _SLOW = "*.example.test", "*.app.test", "*.late.test", "*.slow.test"
_NETWORK = """\
services:
  certbot:
    networks: [default, names]
    environment:
      STACKCTL_RESOLVER: "{resolver}"
networks:
  names: {{external: true, name: {network}}}
"""
_OWN = """\
  own:
    image: {image}
    x-stackctl:
      domains: [{name}]
      port: 8000
      {key}
"""
_SOON = timedelta(seconds=6)
"""How long a certificate is valid that expires meanwhile."""


def _zones() -> dict[str, Zone]:
    names = ("example.test", "app.test", "slow.test")
    zones = {name: Zone(grants=f"grant {KEY} wildcard *.{name}. TXT;") for name in names}
    return zones | {"late.test": Zone(grants=f"grant {KEY} wildcard *.late.test. TXT;", notify=False, refresh=2)}


def dns(run: Run) -> None:
    """Run the family of DNS-01: the token is revoked, and a secondary is late or never there."""
    with _by_dns(run) as (one, servers):
        for name in (_STEADY, _APP, _LATE, _SLOW):
            one.stack.ok("add-app", name, "--image", APP_IMAGE)
        one.steady = "steady.example.test"
        expected = one.state()
        renew = ("renew", "--force", _APP)

        def revoked() -> str:
            servers.revoke()
            done = one.stack.fails(7, *renew)
            assert "does not accept the credentials" in done.stderr, done.stderr
            return ended(done)

        def granted() -> None:
            _configured(servers)
            wait_until(lambda: one.stack.run("dns", "test", "app.test").returncode == 0, 30, "the key is known again")

        case(one, DNS, "the token revoked", broken=revoked, mend=granted, again=renew, expected=expected)

        def late() -> str:
            return ended(one.stack.ok("renew", "--force", _LATE))

        case(one, DNS, "a secondary two seconds late", broken=late, expected=expected)
        if run.quick:
            return
        command = ("add-app", _SLOW, "--image", APP_IMAGE)
        one.away(_SLOW)

        def stuck() -> str:
            servers.zones["slow.test"].notify = False
            _configured(servers)
            one.stack.edit("    slow.test:\n", "    slow.test:\n      propagation: 2s\n")
            done = one.stack.fails(7, *command)
            assert "still answers the old value" in done.stderr, done.stderr
            return ended(done)

        def told() -> None:
            servers.zones["slow.test"].notify = True
            _configured(servers)
            one.stack.edit("      propagation: 2s\n", "")

        what = "a secondary that is never told of changes"
        case(one, DNS, what, broken=stuck, mend=told, again=("up",), expected=expected)


@contextmanager
def _by_dns(run: Run) -> Iterator[tuple[Bed, NameServers]]:
    """A stack whose certbot may write the records of all zones, and a CA that asks these servers."""
    with (
        name_servers(_zones()) as servers,
        authority(server=f"{servers.resolver}:53") as ca,
        bare(Run(ca, run.rows, run.quick, run.say)) as one,
    ):
        one.stack.init(certbot=_CERTBOT)
        text = _NETWORK.format(resolver=servers.resolver, network=servers.network)
        (one.stack.directory / "docker-compose.override.yml").write_text(text)
        answers = "\n".join([servers.addresses["ns1"], "", KEY, "", servers.secret])
        for zone in servers.zones:
            done = one.stack.run_with(f"{answers}\n", "dns", "add", zone, "--provider", "rfc2136")
            assert done.returncode == 0, done.stderr
        yield one, servers


def _configured(servers: NameServers) -> None:
    servers.configure()
    for server in ("ns1", "ns2"):
        docker("kill", "--signal", "HUP", servers.container(server))


def imported(run: Run) -> None:
    """Run the family of imported certificates: one expires, and its files are replaced by some that are no use."""
    ca = Authority()
    with bed(run) as one:
        folder = one.stack.directory / "given"
        folder.mkdir()
        name = one.add("app", "--no-issue")
        one.stack.ok("cert", "import", name, *_files(folder, ca, name))
        expected = one.state()
        again = ("cert", "import", name, *_files(folder, ca, name))

        def over() -> str:
            end = datetime.now(UTC) + _SOON
            soon = folder / "soon"
            soon.mkdir()
            one.stack.ok("cert", "import", name, *_files(soon, ca, name, end))
            wait_until(lambda: datetime.now(UTC) > end, 20, "it expires")
            assert "its imported certificate expired" in _said(one, name)
            return f"`status` says that it expired; up: {ended(one.stack.run('up'))}"

        case(one, IMPORTED, "an imported certificate expires", broken=over, again=again, expected=expected)
        one.stack.ok("set", name, "certificate={imported: " + name + ", fallback: acme}")

        def falls_back() -> str:
            soon, end = folder / "fallback", datetime.now(UTC) + _SOON
            soon.mkdir()
            one.stack.ok("cert", "import", name, *_files(soon, ca, name, end))
            wait_until(lambda: datetime.now(UTC) > end, 20, "it expires")
            done = one.stack.ok("up")
            assert one.stack.trusted(name), "the CA's certificate takes its place"
            return ended(done)

        case(one, IMPORTED, "one with `fallback: acme` expires", broken=falls_back)
        if run.quick:
            return
        own = one.name("own")
        _files(folder, ca, own)
        key = "certificate: {file: given/cert.pem, key: given/key.pem}"
        one.stack.edit("services:\n", "services:\n" + _OWN.format(image=APP_IMAGE, name=own, key=key))
        one.stack.ok("up")
        expected, right = one.state(), {path: path.read_bytes() for path in folder.glob("*.pem")}

        def replaced() -> str:
            past = datetime.now(UTC) - timedelta(days=1)
            _files(folder, ca, own, past)
            done = one.stack.run("up")
            assert done.returncode, "what has expired is refused"
            return ended(done)

        def restored() -> None:
            for path, content in right.items():
                path.write_bytes(content)

        what = "the files of `certificate` replaced by expired ones"
        case(one, IMPORTED, what, broken=replaced, mend=restored, again=("up",), expected=expected)


def _files(folder: Path, ca: Authority, name: str, end: datetime | None = None) -> Sequence[str]:
    """Write a certificate and its key, and return the options that name them."""
    begins = datetime.now(UTC).replace(microsecond=0) - timedelta(days=10)
    leaf = ca.leaf(name, begins=begins, lifetime=(end or begins + timedelta(days=90)) - begins)
    (folder / "cert.pem").write_bytes(leaf.pem + ca.middle.pem)
    (folder / "key.pem").write_bytes(leaf.key_pem())
    return ("--cert", str(folder / "cert.pem"), "--key", str(folder / "key.pem"))


def _said(one: Bed, name: str) -> str:
    """What ``status`` says of the certificate of a site."""
    rows = json.loads(one.stack.ok("status", "--output", "json").stdout)["apps"]
    return next(str(row["ending"]) for row in rows if row["app"] == name)


def local(run: Run) -> None:
    """Run the family of the stack's own CA: its key is lost, and its root with it."""
    with bed(run) as one:
        name = f"app.{one.stack.token}.localhost"
        one.stack.edit("services:\n", "services:\n" + _OWN.format(image=APP_IMAGE, name=name, key="ca: local"))
        one.stack.ok("up")
        expected = one.state()
        files = {file: one.stack.directory / "data/ca/local" / file for file in ("issuer.pem", "root.pem")}
        content = {file: path.read_bytes() for file, path in files.items()}

        def lost() -> str:
            files["issuer.pem"].unlink()
            done = one.stack.fails(7, "renew", "--force", name)
            assert "the key of the local CA, data/ca/local/issuer.pem, is missing" in done.stderr, done.stderr
            assert "nothing renews its certificate" in _said(one, name)
            return f"{ended(done)}; up: {ended(one.stack.run('up'))}"

        def restored() -> None:
            files["issuer.pem"].write_bytes(content["issuer.pem"])
            files["issuer.pem"].chmod(0o600)

        again = ("renew", "--force", name)
        case(one, LOCAL, "the key of the local CA lost", broken=lost, mend=restored, again=again, expected=expected)

        def all_lost() -> str:
            for path in files.values():
                path.unlink()
            done = one.stack.fails(7, "renew", "--force", name)
            return f"{ended(done)}; up: {ended(one.stack.run('up'))}"

        def another() -> None:
            assert files["root.pem"].read_bytes() != content["root.pem"]

        what, anew = "the root and the key lost", ("init", "--new-root")
        case(one, LOCAL, what, broken=all_lost, again=anew, expected=expected, check=another)
