"""Shared by all families: commands, containers, timers, and clients that verify what is served."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import http.client
import os
import shutil
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAB = ROOT / ".lab"
OUT = LAB / "bench"
BIN = Path(sys.executable).parent
"""Not resolved: the programs installed in the virtual environment are next to its link to Python."""

NGINX = "stackctl/nginx:1.30"
CERTBOT = "stackctl/certbot:5.5"
BASE = "debian:forky-slim"
TOOLS = "stackctl-lab/bench:latest"

DNS = 28053
"""The resolver of the benchmark's CA, on this host."""

PREFIX = "stackctl-lab-bench-"
"""The name prefix of every container and project; 'make clean' removes all that start with 'stackctl-lab-'."""

HERE = "127.0.0.140"
CADDY_AT = "127.0.0.141"
SCRIPT_AT = "127.0.0.142"
STACKS_AT = ("127.0.0.145", "127.0.0.146", "127.0.0.147")
UPSTREAM_PORT = 28080

Pace = Callable[[str], None]


class BenchError(Exception):
    """A precondition of a measurement is not met, so its figure would be meaningless."""


@dataclass(frozen=True)
class Options:
    """The size of a run."""

    quick: bool = False
    say: Pace = print


def environment() -> dict[str, str]:
    """Return this process's environment without HTTP proxy settings, and with the CA's resolver."""
    ours = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    return {**ours, "STACKCTL_RESOLVER": f"127.0.0.1:{DNS}"}


def run(*arguments: str | Path, cwd: Path | None = None, seconds: float = 600.0, stdin: str | None = None) -> str:
    """Run a command that must succeed; return its standard output."""
    done = subprocess.run(
        [str(part) for part in arguments],
        cwd=cwd,
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
        input=stdin or "",
    )
    if done.returncode:
        said = (done.stdout + done.stderr).strip()[-2000:]
        raise BenchError(f"{' '.join(map(str, arguments))[:300]} exited with {done.returncode}:\n{said}")
    return done.stdout


def docker(*arguments: str | Path, seconds: float = 120.0) -> str:
    return run("docker", *arguments, seconds=seconds).strip()


def stackctl(directory: Path, *arguments: str | Path) -> float:
    """Return the seconds that one command of the real CLI takes."""
    return timed(lambda: run(BIN / "stackctl", *arguments, cwd=directory))


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30.0, pause: float = 0.05) -> None:
    """Poll; network errors count as not ready."""
    deadline = time.monotonic() + seconds
    last: object = None
    while True:
        try:
            last = condition()
        except (OSError, http.client.HTTPException) as error:
            last = error
        else:
            if last:
                return
        if time.monotonic() > deadline:
            raise BenchError(f"timed out after {seconds:.0f} s: {what} (last: {last!r})")
        time.sleep(pause)


def compose() -> list[str]:
    """Return the Compose command for the stack of ``init-letsencrypt.sh``: the same one that stackctl uses."""
    from stackctl.adapters.docker.binary import find_compose  # noqa: PLC0415  (the benchmark starts without the product)

    return find_compose()


def gateway() -> str:
    """Return the host's address on the default bridge, which containers on every bridge can reach."""
    row = docker(
        "network", "inspect", "bridge", "--format", "{{with index .IPAM.Config 0}}{{.Subnet}} {{.Gateway}}{{end}}"
    )
    subnet, _, address = row.partition(" ")
    return address or f"{subnet.partition('/')[0].rpartition('.')[0]}.1"


@contextmanager
def container(name: str, *arguments: str | Path) -> Iterator[str]:
    """Start a detached container on the host's network; return its name."""
    full = PREFIX + name
    remove_container(full)
    try:
        docker("run", "--detach", "--name", full, "--network", "host", *arguments)
        yield full
    except BenchError as error:
        said = subprocess.run(["docker", "logs", "--tail", "5", full], capture_output=True, text=True, check=False)
        error.add_note(f"{name} printed: {(said.stdout + said.stderr).strip()[-1000:]}")
        raise
    finally:
        remove_container(full)


def remove_container(name: str) -> None:
    subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False, timeout=60)


@contextmanager
def project(label: str) -> Iterator[Path]:
    """Create an empty directory for a Compose project of the same name; remove both at the end."""
    directory = Path(tempfile.gettempdir()) / f"{PREFIX}{label}"
    remove_project(directory)
    directory.mkdir()
    try:
        yield directory
    finally:
        remove_project(directory)


def remove_project(directory: Path) -> None:
    label = f"label=com.docker.compose.project={directory.name}"
    for found, remove in ((("ps", "--all"), ("rm", "--force", "--volumes")), (("network", "ls"), ("network", "rm"))):
        ids = docker(*found, "--quiet", "--filter", label).split()
        if ids:
            docker(*remove, *ids)
    shutil.rmtree(directory, ignore_errors=True)


def container_of(directory: Path, service: str) -> str:
    """Return the ID of a project's running container."""
    filters = [f"com.docker.compose.project={directory.name}", f"com.docker.compose.service={service}"]
    found = docker("ps", "--quiet", *(part for one in filters for part in ("--filter", f"label={one}"))).split()
    if len(found) != 1:
        raise BenchError(f"{directory.name} has {len(found)} containers of {service}")
    return found[0]


def build_tools() -> None:
    """Return the image of HAProxy and wrk; build it if its Dockerfile or its base has changed."""
    context = Path(__file__).with_name("image")
    base = docker("image", "inspect", "--format", "{{.Id}}", BASE)
    key = hashlib.sha256((context / "Dockerfile").read_bytes() + base.encode()).hexdigest()
    label = "stackctl.lab.key"  # 'make clean' removes by this label
    rows = docker("image", "ls", "--quiet", "--filter", f"label={label}={key}", TOOLS)
    if not rows:
        options = ("--force-rm", "--build-arg", f"BASE={BASE}", "--label", f"{label}={key}", "--tag", TOOLS)
        os.environ["DOCKER_BUILDKIT"] = "0"  # uses the engine's copy of the base without contacting a registry
        docker("build", *options, context, seconds=300.0)


def trusting(root: str) -> ssl.SSLContext:
    """Return a client TLS context that trusts one root only."""
    return ssl.create_default_context(cadata=root)


def get(address: str, port: int, name: str, context: ssl.SSLContext) -> int:
    """Request ``/`` from ``name`` with a verified certificate; return the status."""
    with (
        socket.create_connection((address, port), 5) as plain,
        context.wrap_socket(plain, server_hostname=name) as secure,
    ):
        secure.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
        response = http.client.HTTPResponse(secure)
        response.begin()
        response.read()
        return response.status


def wait_trusted(address: str, names: Sequence[str], root: str, seconds: float) -> None:
    """Wait until every name answers 200 over TLS with a certificate that the root validates.

    One name at a time: polling all of them would compete for the processor with what is measured.
    """
    context = trusting(root)
    deadline = time.monotonic() + seconds
    for name in names:
        left = max(1.0, deadline - time.monotonic())
        wait_until(partial(_is_ok, address, name, context), f"{name} is trusted", left, 0.03)


def _is_ok(address: str, name: str, context: ssl.SSLContext) -> bool:
    return get(address, 443, name, context) == http.HTTPStatus.OK


@contextmanager
def upstream() -> Iterator[str]:
    """Start the upstream of every proxy; return its ``HOST:PORT`` as seen from containers on a bridge."""
    bridge = gateway()
    conf = OUT / "upstream.conf"
    conf.parent.mkdir(parents=True, exist_ok=True)
    conf.write_text(
        "worker_processes auto;\nevents { worker_connections 4096; }\n"
        "http {\n  access_log off;\n  keepalive_requests 1000000;\n  keepalive_timeout 300s;\n"
        f"  server {{\n    listen 127.0.0.1:{UPSTREAM_PORT};\n    listen {bridge}:{UPSTREAM_PORT};\n"
        '    default_type text/plain;\n    location / { return 200 "hello from the upstream\\n"; }\n  }\n}\n'
    )
    with container("upstream", "--volume", f"{conf}:/etc/nginx/nginx.conf:ro", NGINX):
        wait_until(lambda: plain_status(bridge, UPSTREAM_PORT) == 200, "the upstream answers")
        yield f"{bridge}:{UPSTREAM_PORT}"


def plain_status(address: str, port: int, path: str = "/") -> int:
    connection = http.client.HTTPConnection(address, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    finally:
        connection.close()


@contextmanager
def alone() -> Iterator[None]:
    """Allow one benchmark at a time: ports and container names are fixed, and two would slow each other down."""
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / "lock").open("w") as file:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise BenchError("another benchmark is running in this tree")
            time.sleep(0.5)
        yield
