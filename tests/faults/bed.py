"""The stack under test: two sites that are served throughout, and the state that is compared."""

from __future__ import annotations

import hashlib
import secrets
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization

from stackctl.adapters.disk.certbot_tree import CertbotTree
from tests.e2e.helpers import APP_IMAGE, Lab, Stack, _listens, docker
from tests.faults.authority import Authority, authority
from tests.faults.client import Client

State = dict[str, Any]

STOP = threading.Event()
"""Set when the run is interrupted: no further row starts, and every stack is removed."""


class Stopped(Exception):
    """The run was interrupted."""


@dataclass
class Row:
    """One case: the fault, what was served meanwhile, and the state after the same command is run again."""

    family: str
    injected: str
    meanwhile: str = ""
    after: str = ""
    requests: int = 0
    lost: int = 0
    held: bool = True
    skipped: bool = False


@dataclass
class Run:
    """The settings of a run: its CA and its size."""

    ca: Authority
    rows: list[Row]
    quick: bool = False
    say: Callable[[str], None] = print


@dataclass
class Bed:
    """One stack with a site that no fault may affect."""

    run: Run
    stack: Stack
    steady: str = ""

    def name(self, label: str) -> str:
        """Return a name that the CA resolves to this stack."""
        name = self.stack.domain(label)
        self.run.ca.resolve(name, self.stack.address)
        return name

    def add(self, label: str, *more: str) -> str:
        name = self.name(label)
        self.stack.ok("add-app", name, "--image", APP_IMAGE, *more)
        return name

    def forget(self, name: str) -> None:
        """Delete the files that docs/reference/files.md allows to delete, so that the next run writes them again."""
        root = self.stack.directory
        shutil.rmtree(root / "data/certs" / name, ignore_errors=True)
        live = (root / "nginx/live").resolve()
        for generation in (root / "nginx/generations").iterdir():
            if generation != live:
                shutil.rmtree(generation, ignore_errors=True)

    def away(self, name: str) -> None:
        """Remove an app and its certificate, even if certbot no longer knows the lineage."""
        remove = ("remove-app", name, "--delete-cert", "--yes")
        if self.stack.run(*remove).returncode:
            conf = self.stack.directory / "data/certbot/conf"
            for kind in ("live", "archive"):
                shutil.rmtree(conf / kind / name, ignore_errors=True)
            (conf / f"renewal/{name}.conf").unlink(missing_ok=True)
            self.stack.ok(*remove)
        self.forget(name)

    def client(self) -> Client:
        return Client(self.stack.address, self.steady, self.stack.lab.root)

    def served(self) -> dict[str, str]:
        """Return what handshakes show, by app, in the terms of ``status`` but without its running time."""
        sites = self.stack.directory / "nginx/live/sites"
        return {path.stem: self._shown(path.stem) for path in sorted(sites.glob("*.conf"))}

    def _shown(self, name: str) -> str:
        try:
            shown = self.stack.certificate(name).public_bytes(serialization.Encoding.DER)
        except OSError:
            return "nothing"
        stored = self.stack.directory / "data/certs" / name
        places = [("real", self.stack.live / name), ("real" if (stored / "source").exists() else "dummy", stored)]
        return next((kind for kind, place in places if shown == _leaf(place / "fullchain.pem")), "other")

    def state(self) -> State:
        """Return the state that must not depend on the fault. The ledger is left out: it may list more requests."""
        root = self.stack.directory
        live = root / "nginx/live"
        files = [path for path in sorted(live.rglob("*")) if path.is_file()] if live.exists() else []
        lineages = CertbotTree(root / "data/certbot/conf", None).lineages()
        return {
            "compose file": self.stack.file.read_text() if self.stack.file.exists() else None,
            "proxy files": {str(p.relative_to(live)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files},
            "lineages": {n: (one.problem, one.certificate and one.certificate.names) for n, one in lineages.items()},
            "certbot's tree": {name: self.shape(name) for name in lineages},
            "containers": self.containers(),
            "served": self.served(),
        }

    def shape(self, lineage: str) -> dict[str, bool]:
        """Return what certbot needs to renew a lineage: its links and all its settings."""
        conf = self.stack.directory / "data/certbot/conf"
        links = {p.name: p.is_symlink() and p.exists() for p in (conf / "live" / lineage).glob("*.pem")}
        chain = conf / "live" / lineage / "fullchain.pem"
        links["with its issuer"] = chain.exists() and chain.read_bytes().count(b"-----END CERTIFICATE-----") > 1
        settings = conf / f"renewal/{lineage}.conf"
        return {**links, "renewal": settings.exists() and "[renewalparams]" in settings.read_text()}

    def containers(self) -> list[str]:
        label = f"label=com.docker.compose.project={self.stack.project}"
        form = '{{.Label "com.docker.compose.service"}} {{.State}}'
        return sorted(docker("ps", "--all", "--filter", label, "--format", form).splitlines())


def _leaf(path: Path) -> bytes | None:
    try:
        return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(serialization.Encoding.DER)
    except (OSError, ValueError):
        return None


def differences(reached: State, expected: State) -> str:
    """Describe the differences from the state of an undisturbed run."""
    told = []
    for key, meant in expected.items():
        got = reached[key]
        if got == meant:
            continue
        if isinstance(got, dict) and isinstance(meant, dict):
            wrong = {k: got.get(k, "missing") for k in sorted({*got, *meant}) if got.get(k) != meant.get(k)}
            told.append(f"{key}: {wrong}"[:200])
        else:
            told.append(f"{key}: {got}"[:200])
    return "; ".join(told)


@contextmanager
def begun(rows: list[Row], *, quick: bool = False, say: Callable[[str], None] = print) -> Iterator[Run]:
    """Check that the CA is up."""
    with authority() as ca:
        yield Run(ca, rows, quick, say)


@contextmanager
def reserved() -> Iterator[str]:
    """Reserve a loopback address that no other process uses, including another run of these tests."""
    for number in range(150, 200):
        address = f"127.0.0.{number}"
        # An abstract socket: the kernel releases its name when the process ends.
        with socket.socket(socket.AF_UNIX) as mine:
            try:
                mine.bind(f"\0stackctl-lab-faults-{number}")
            except OSError:
                continue
            if not _listens(address, 80) and not _listens(address, 443):
                yield address
                return
    raise RuntimeError("no free address")


@contextmanager
def bare(run: Run, *, directory: str | None = None, parent: Path | None = None) -> Iterator[Bed]:
    """Create a stack that is not initialised yet."""
    token = f"f{secrets.token_hex(3)}"
    root = (parent or Path(tempfile.gettempdir())) / f"stackctl-lab-faults-{token}"
    root.mkdir()
    lab = Lab(directory or run.ca.directory, run.ca.bundle, run.ca.root())
    with reserved() as address:
        made = Bed(run, Stack(lab, root, address, token, {"STACKCTL_RESOLVER": f"127.0.0.1:{run.ca.dns}"}))
        try:
            yield made
        finally:
            made.stack.remove()


@contextmanager
def bed(run: Run, *, directory: str | None = None, parent: Path | None = None) -> Iterator[Bed]:
    """Create a stack with one site that is served with a trusted certificate."""
    with bare(run, directory=directory, parent=parent) as made:
        made.stack.init()
        made.steady = made.add("steady")
        yield made
