"""A stack of the lab as tests see it: its directory, its containers, and what its ports show."""

from __future__ import annotations

import hashlib
import http.client
import itertools
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from cryptography import x509
from docker import APIClient
from docker.errors import NotFound

from stackctl.adapters.docker.endpoint import find_endpoint
from tests import forked

ROOT = Path(__file__).resolve().parents[2]
LAB = Path(os.environ.get("STACKCTL_TEST_LAB", ROOT / ".lab"))
"""What 'make setup' has made; another one for the engines of tests.engines."""
BIN = Path(sys.executable).parent
"""Not resolved: next to the link in the virtual environment stands what is installed there."""

APP_IMAGE = "stackctl-lab/app:latest"
NGINX_IMAGE = "stackctl/nginx:1.30"
HAPROXY_IMAGE = "stackctl/haproxy:3.2"
CERTBOT_IMAGE = "stackctl/certbot:5.5"
DNS_MANAGEMENT = ("127.0.0.1", 8055)
DNS_SERVER = "127.0.0.1:8053"
"""The CA's resolver: the system's tells nothing of the lab's names."""
NOBODY = "127.0.0.250"
"""An address of this host where nothing listens."""

REFUSED_NONCE = re.compile("anti-replay nonce")
"""In what certbot prints where it gives up on a CA which refused its nonces."""

CERTBOTS_LOCK = "data/certbot/conf/.certbot.lock"
CERTBOTS_OWN = (
    *("data/certbot/deploy/", "data/certbot/conf/renewal", CERTBOTS_LOCK),
    *("data/metrics/", "data/watch/state.json", "data/watch/."),
)
"""How the paths begin that certbot's loop may make, change and remove at each of its rounds."""

T = TypeVar("T")


class Reply(NamedTuple):
    """An answer; ``certificate`` is what the server showed, None without TLS."""

    status: int
    body: bytes
    certificate: x509.Certificate | None
    headers: http.client.HTTPMessage

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Lab:
    """The test CA: where it is, and the root of what it issues now."""

    directory: str
    bundle: Path
    root: str


BUSY = 4
"""How many times longer a busy machine may take than an idle one."""


def wait_until(condition: Callable[[], T], seconds: float = 30.0, what: str = "the condition holds") -> T:
    """What ``condition`` returns once it is true; what the network throws meanwhile counts as not yet.

    ``seconds`` are those that an idle machine is given.
    """
    seconds *= BUSY
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            value = condition()
        except (OSError, http.client.HTTPException) as error:
            last = error
        else:
            if value:
                return value
            last = value
        assert time.monotonic() < deadline, f"not within {seconds} s: {what} (last: {last!r})"
        time.sleep(0.05)


def docker(*arguments: str, stdin: str | None = None) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False, timeout=180, input=stdin)
    assert done.returncode == 0, f"docker {' '.join(arguments)}: {done.stderr}"
    return done.stdout.strip()


def certbot(container: str, *arguments: str, fine: bool = True) -> str:
    """certbot in a container, as its own loop calls it: without stackctl. It must end well, or ``fine`` is False.

    The CA refuses some good nonces, as CAs may, and certbot gives up when it meets that twice: its loop
    comes again.
    """
    for _ in range(4):
        done = subprocess.run(
            ["docker", "exec", container, "certbot", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=120,
        )
        if not done.returncode or not REFUSED_NONCE.search(done.stdout):
            break
    assert fine is not bool(done.returncode), f"certbot {' '.join(arguments)}: {done.stdout}"
    return done.stdout


@cache
def engine() -> APIClient:
    """The engine, without the start of a program for each question."""
    return APIClient(find_endpoint(os.environ, Path.home()).url, version="auto", timeout=180)


def inspect(container: str) -> Any:
    return engine().inspect_container(container)


def dns(action: str, host: str, *addresses: str) -> None:
    """Change what the CA's resolver says of ``host``."""
    connection = http.client.HTTPConnection(*DNS_MANAGEMENT, timeout=5)
    try:
        connection.request("POST", f"/{action}", json.dumps({"host": host, "addresses": list(addresses)}))
        response = connection.getresponse()
        response.read()
        assert response.status == 200, f"{action} {host}: {response.status}"
    finally:
        connection.close()


class Secure(http.client.HTTPSConnection):
    """HTTPS to ``address``, whatever ``name`` resolves to elsewhere. Opens again by itself, as a browser does."""

    def __init__(
        self, address: str, name: str, context: ssl.SSLContext, *, port: int = 443, seconds: float = 15.0
    ) -> None:
        super().__init__(name, port, context=context, timeout=seconds)
        self._address = address
        self._tls = context
        self._seconds = seconds
        self.certificate: x509.Certificate | None = None

    def connect(self) -> None:
        plain = socket.create_connection((self._address, self.port), self._seconds)
        try:
            secure = self._tls.wrap_socket(plain, server_hostname=self.host)
        except BaseException:
            plain.close()
            raise
        self.sock = secure
        leaf = secure.getpeercert(binary_form=True)
        self.certificate = None if leaf is None else x509.load_der_x509_certificate(leaf)


def trusting(root: str | None) -> ssl.SSLContext:
    """A client that trusts ``root`` alone; with None, one that looks at certificates without judging them."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if root is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context.load_verify_locations(cadata=root)
    return context


@dataclass
class Stack:
    """One stack directory, published at a loopback address of its own."""

    lab: Lab
    directory: Path
    address: str
    token: str
    environment: dict[str, str] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()

    # Names

    def domain(self, label: str) -> str:
        """A name that no other test uses; ``add-app`` calls its service ``label``."""
        return f"{label}.{self.token}.example.com"

    def add_dns(self, *names: str, address: str | None = None) -> None:
        for name in names:
            # Addresses add up otherwise, and the CA asks the first.
            dns("clear-a", name)
            dns("add-a", name, address or self.address)

    @property
    def file(self) -> Path:
        return self.directory / "docker-compose.yml"

    def edit(self, old: str, new: str) -> None:
        """Edit docker-compose.yml as the user does."""
        text = self.file.read_text()
        assert old in text, f"{old!r} is not in {text}"
        self.file.write_text(text.replace(old, new, 1))

    # Commands

    def command(self, *arguments: str | Path) -> list[str]:
        return [*self.wrapper, str(forked.STACKCTL), *map(str, arguments)]

    def environ(self, environment: Mapping[str, str] | None = None) -> dict[str, str]:
        return {**os.environ, "STACKCTL_RESOLVER": DNS_SERVER, **self.environment, **(environment or {})}

    def run(
        self, *arguments: str | Path, environment: Mapping[str, str] | None = None, seconds: float = 400.0
    ) -> subprocess.CompletedProcess[str]:
        """The real CLI, in the stack's directory."""
        return self._ended(forked.MAIN, arguments, environment, seconds)

    def run_with(self, typed: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """The real CLI with lines on its standard input."""
        return subprocess.run(
            self.command(*arguments),
            cwd=self.directory,
            env=self.environ(),
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=400,
        )

    def run_after(
        self, prelude: str, *arguments: str | Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """The real CLI in a process where ``prelude``, in Python, has changed something before."""
        return self._ended(f"{prelude}\n{forked.MAIN}", arguments, environment)

    def run_at(self, hours: float, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """The real CLI, with its clock so many hours ahead, or back."""
        later = f"dt.datetime.now(dt.UTC) + dt.timedelta(hours={hours})"
        prelude = f"import datetime as dt; from stackctl.usecases import session; session.now = lambda: {later}"
        return self.run_after(prelude, *arguments)

    def _ended(
        self,
        code: str,
        arguments: Sequence[str | Path],
        environment: Mapping[str, str] | None = None,
        seconds: float = 400.0,
    ) -> subprocess.CompletedProcess[str]:
        words, environ = [str(word) for word in arguments], self.environ(environment)
        if not self.wrapper and forked.fits(environ):
            return forked.run(words, self.directory, environ, seconds, code)
        program = [str(forked.STACKCTL)] if code == forked.MAIN else [sys.executable, "-c", code]
        return subprocess.run(
            [*self.wrapper, *program, *words],
            cwd=self.directory,
            env=environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=seconds,
            stdin=subprocess.DEVNULL,
        )

    def ok(self, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        """``run``, which must succeed."""
        return self.fails(0, *arguments)

    def fails(
        self, code: int, *arguments: str | Path, environment: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """``run``, which must end with ``code`` and without a traceback."""
        done = self.run(*arguments, environment=environment)
        said = f"stackctl {' '.join(map(str, arguments))}\n{done.stdout}{done.stderr}"
        assert done.returncode == code, f"{done.returncode} instead of {code}: {said}"
        assert "Traceback" not in said
        assert "internal error" not in said
        return done

    def init_arguments(self, *more: str, nginx: str = NGINX_IMAGE, certbot: str = CERTBOT_IMAGE) -> list[str]:
        arguments = ["init", "--email", "you@example.com", "--agree-tos"]
        arguments += ["--ca", self.lab.directory, "--ca-bundle", str(self.lab.bundle)]
        arguments += ["--http", f"{self.address}:80", "--https", f"{self.address}:443"]
        return [*arguments, "--nginx-image", nginx, "--certbot-image", certbot, *more]

    def init(self, *more: str, nginx: str = NGINX_IMAGE, certbot: str = CERTBOT_IMAGE) -> None:
        self.ok(*self.init_arguments(*more, nginx=nginx, certbot=certbot))

    def add(self, label: str, *more: str) -> str:
        """Add an app of the lab's image as ``label``; returns its name."""
        name = self.domain(label)
        self.add_dns(name)
        self.ok("add-app", name, "--image", APP_IMAGE, *more)
        return name

    def compose(self, *arguments: str) -> str:
        """Plain Compose, as the user without stackctl calls it."""
        done = subprocess.run(
            [str(BIN / "docker-compose"), *arguments],
            cwd=self.directory,
            env=self.environ(),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"docker-compose {' '.join(arguments)}: {done.stderr}"
        return done.stdout

    # Containers

    @property
    def project(self) -> str:
        return self.directory.name

    @property
    def _own(self) -> dict[str, str]:
        return {"label": f"com.docker.compose.project={self.project}"}

    def containers(self) -> dict[str, str]:
        """Container ids by service, running or not."""
        rows = engine().containers(all=True, filters=self._own)
        return {row["Labels"]["com.docker.compose.service"]: row["Id"] for row in rows}

    def container(self, service: str) -> str:
        return self.containers()[service]

    def workers(self) -> set[str]:
        """Process ids of nginx's workers that take connections: a reload changes all of them."""
        return wait_until(self._workers, what="the workers of before a reload are ending")

    def _workers(self) -> set[str]:
        # Not by 'docker top', which knows no processes where a rootless engine has no cgroups.
        # Without a process for each of them.
        titles = 'for one in /proc/[0-9]*; do title=; read -r title <$one/cmdline; echo "${one#/proc/} $title"; done'
        made = engine().exec_create(self.container("nginx"), ["sh", "-c", f"{titles} 2>/dev/null"])
        rows = engine().exec_start(made["Id"]).decode("utf-8", "replace").splitlines()
        found = {row.split()[0] for row in rows if "nginx: worker process" in row and "shutting down" not in row}
        # One for each core. There are more until the old ones have noticed the reload.
        return found if len(found) <= (os.cpu_count() or 1) else set()

    # Disk

    @property
    def live(self) -> Path:
        """Certbot's lineages."""
        return self.directory / "data/certbot/conf/live"

    def lineages(self) -> list[str]:
        return sorted(path.name for path in self.live.iterdir() if path.is_dir()) if self.live.is_dir() else []

    def files(self) -> dict[str, tuple[int, int, str]]:
        """Mode, time and content of every file, but for the lock and for what certbot's loop writes at each round."""
        seen: dict[str, tuple[int, int, str]] = {}
        for path in self.directory.rglob("*"):
            name = str(path.relative_to(self.directory))
            if name.startswith((".stackctl/lock", *CERTBOTS_OWN)):
                continue
            facts = path.lstat()
            if path.is_symlink():
                content = str(path.readlink())
            else:
                content = "" if path.is_dir() else hashlib.sha256(path.read_bytes()).hexdigest()
            seen[name] = (facts.st_mode, 0 if path.is_dir() else facts.st_mtime_ns, content)
        return seen

    def state(self) -> tuple[object, ...]:
        """All that a command which changes nothing leaves alone: files, containers, nginx's workers."""
        containers = {service: (cid, inspect(cid)["State"]["StartedAt"]) for service, cid in self.containers().items()}
        return self.files(), containers, self.workers()

    # The wire

    def https(
        self,
        name: str,
        path: str = "/",
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        trust: bool = True,
    ) -> Reply:
        connection = Secure(self.address, name, trusting(self.lab.root if trust else None))
        return _reply(connection, method, path, body, headers)

    def http(self, name: str, path: str = "/", *, headers: Mapping[str, str] | None = None) -> Reply:
        connection = http.client.HTTPConnection(self.address, 80, timeout=15)
        return _reply(connection, "GET", path, None, {"Host": name, **(headers or {})})

    def certificate(self, name: str) -> x509.Certificate:
        """What a handshake with ``name`` shows, trusted or not."""
        connection = Secure(self.address, name, trusting(None))
        try:
            connection.connect()
            assert connection.certificate is not None
            return connection.certificate
        finally:
            connection.close()

    def serial(self, name: str) -> int:
        return self.certificate(name).serial_number

    def certificate_for(self, name: str, signatures: str) -> x509.Certificate:
        """What a client is shown that can verify only these signatures, over TLS 1.3."""
        command = ["openssl", "s_client", "-connect", f"{self.address}:443", "-servername", name, "-tls1_3"]
        shown = subprocess.run([*command, "-sigalgs", signatures], input=b"", capture_output=True, check=True).stdout
        return x509.load_pem_x509_certificate(shown[shown.index(b"-----BEGIN") :])

    def serial_for(self, name: str, signatures: str) -> int:
        return self.certificate_for(name, signatures).serial_number

    def trusted(self, name: str) -> bool:
        """Whether a client of the CA's gets an answer from the app behind ``name``."""
        return self.https(name).status == 200

    def refused(self, name: str | None) -> bool:
        """Whether a handshake with ``name`` (None: with no name) is refused by a TLS alert."""
        context = trusting(None)
        with socket.create_connection((self.address, 443), 10) as plain:
            try:
                context.wrap_socket(plain, server_hostname=name).close()
            except ssl.SSLError:
                return True
        return False

    def closed(self, name: str, path: str = "/") -> bool:
        """Whether the connection is closed without an answer to ``name`` (nginx's 444)."""
        try:
            self.http(name, path)
        except http.client.RemoteDisconnected:
            return True
        return False

    def remove(self) -> None:
        """Take everything away, whatever state it is in."""
        for row in engine().containers(all=True, filters=self._own):
            with suppress(NotFound):  # it was removed when it stopped
                engine().remove_container(row["Id"], v=True, force=True)
        for row in engine().networks(filters=self._own):
            engine().remove_network(row["Id"])
        for row in engine().volumes(filters=self._own)["Volumes"] or ():
            engine().remove_volume(row["Name"])
        shutil.rmtree(self.directory, ignore_errors=True)


def _reply(
    connection: http.client.HTTPConnection,
    method: str,
    path: str,
    body: bytes | None,
    headers: Mapping[str, str] | None,
) -> Reply:
    try:
        connection.request(method, path, body, dict(headers or {}))
        certificate = connection.certificate if isinstance(connection, Secure) else None
        response = connection.getresponse()
        return Reply(response.status, response.read(), certificate, response.msg)
    finally:
        connection.close()


ECDSA, RSA = "ECDSA+SHA256", "RSA-PSS+SHA256"
"""Signatures that a client can verify, as OpenSSL names them."""


def sans(certificate: x509.Certificate | None) -> set[str]:
    """The DNS names of a certificate."""
    assert certificate is not None
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return set(names.get_values_for_type(x509.DNSName))


def free_addresses(worker: int, workers: int) -> Iterator[str]:
    """Loopback addresses of the tests' own, each with both ports free; those of no other worker of pytest-xdist.

    They begin again, as stacks are removed after their tests.

    Two trees that are tested at once stay apart by STACKCTL_TEST_SUBNET, the third number of the addresses.
    """
    subnet = int(os.environ.get("STACKCTL_TEST_SUBNET", "0"))
    for number in itertools.cycle(range(50 + worker, 250, workers)):
        address = f"127.0.{subnet}.{number}"
        if not any(_listens(address, port) for port in (80, 443)):
            yield address


def _listens(address: str, port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return True
    return False


@contextmanager
def listener(address: str, port: int) -> Iterator[None]:
    """Something of this very process that holds a port."""
    with socket.socket() as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.bind((address, port))
        held.listen()
        yield
