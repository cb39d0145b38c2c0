"""What every family shares: commands, containers, clocks, and sockets that judge what is served."""

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
"""Not resolved: beside the link in the virtual environment stands what is installed there."""

NGINX = "stackctl/nginx:1.30"
CERTBOT = "stackctl/certbot:5.5"
PEBBLE = "stackctl-lab/pebble:latest"
BASE = "debian:forky-slim"
TOOLS = "stackctl-lab/bench:latest"

DNS = 28053
"""The resolver of the benchmark's CA, on this host."""

PREFIX = "stackctl-lab-bench-"
"""Of every container and project made here; 'make clean' takes whatever begins with 'stackctl-lab-'."""

HERE = "127.0.0.140"
CADDY_AT = "127.0.0.141"
SCRIPT_AT = "127.0.0.142"
STACKS_AT = ("127.0.0.145", "127.0.0.146", "127.0.0.147")
UPSTREAM_PORT = 28080

Pace = Callable[[str], None]


class BenchError(Exception):
    """Something was not as it has to be, so a figure would mean nothing."""


@dataclass(frozen=True)
class Options:
    """How thorough a run is."""

    quick: bool = False
    say: Pace = print


def environment() -> dict[str, str]:
    """Ours, without what would send a loopback request through a proxy, and with the resolver of the CA."""
    ours = {key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")}
    return {**ours, "STACKCTL_RESOLVER": f"127.0.0.1:{DNS}"}


def run(*arguments: str | Path, cwd: Path | None = None, seconds: float = 600.0, stdin: str | None = None) -> str:
    """A command's standard output; it must succeed."""
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
        raise BenchError(f"{' '.join(map(str, arguments))[:300]} ended with {done.returncode}:\n{said}")
    return done.stdout


def docker(*arguments: str | Path, seconds: float = 120.0) -> str:
    return run("docker", *arguments, seconds=seconds).strip()


def stackctl(directory: Path, *arguments: str | Path) -> float:
    """Seconds that one command of the real CLI takes."""
    return timed(lambda: run(BIN / "stackctl", *arguments, cwd=directory))


def timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def wait_until(condition: Callable[[], object], what: str, seconds: float = 30.0, pause: float = 0.05) -> None:
    """Poll; what the network throws meanwhile counts as not yet."""
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
            raise BenchError(f"not within {seconds:.0f} s: {what} (last: {last!r})")
        time.sleep(pause)


def compose() -> list[str]:
    """The Compose that a stack of the seed's script is run by: the one stackctl would take."""
    from stackctl.adapters.docker.binary import find_compose  # noqa: PLC0415  (the benchmark starts without the product)

    return find_compose()


def gateway() -> str:
    """The host's address on the default bridge, which containers of every bridge reach."""
    row = docker(
        "network", "inspect", "bridge", "--format", "{{with index .IPAM.Config 0}}{{.Subnet}} {{.Gateway}}{{end}}"
    )
    subnet, _, address = row.partition(" ")
    return address or f"{subnet.partition('/')[0].rpartition('.')[0]}.1"


@contextmanager
def container(name: str, *arguments: str | Path) -> Iterator[str]:
    """A detached container in the host's network; its name."""
    full = PREFIX + name
    remove_container(full)
    try:
        docker("run", "--detach", "--name", full, "--network", "host", *arguments)
        yield full
    except BenchError as error:
        said = subprocess.run(["docker", "logs", "--tail", "5", full], capture_output=True, text=True, check=False)
        error.add_note(f"{name} said: {(said.stdout + said.stderr).strip()[-1000:]}")
        raise
    finally:
        remove_container(full)


def remove_container(name: str) -> None:
    subprocess.run(["docker", "rm", "--force", "--volumes", name], capture_output=True, check=False, timeout=60)


@contextmanager
def project(label: str) -> Iterator[Path]:
    """An empty directory that Compose names a project after; all of it goes in the end."""
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
    """The id of a project's running container."""
    filters = [f"com.docker.compose.project={directory.name}", f"com.docker.compose.service={service}"]
    found = docker("ps", "--quiet", *(part for one in filters for part in ("--filter", f"label={one}"))).split()
    if len(found) != 1:
        raise BenchError(f"{directory.name} has {len(found)} containers of {service}")
    return found[0]


def build_tools() -> None:
    """The image of HAProxy and wrk, built when its Dockerfile or its base has changed."""
    context = Path(__file__).with_name("image")
    base = docker("image", "inspect", "--format", "{{.Id}}", BASE)
    key = hashlib.sha256((context / "Dockerfile").read_bytes() + base.encode()).hexdigest()
    label = "stackctl.lab.key"  # by which 'make clean' knows what to remove
    rows = docker("image", "ls", "--quiet", "--filter", f"label={label}={key}", TOOLS)
    if not rows:
        options = ("--force-rm", "--build-arg", f"BASE={BASE}", "--label", f"{label}={key}", "--tag", TOOLS)
        os.environ["DOCKER_BUILDKIT"] = "0"  # takes its base from the engine without asking a registry
        docker("build", *options, context, seconds=300.0)


def trusting(root: str) -> ssl.SSLContext:
    """A client that trusts one root, and nothing else."""
    return ssl.create_default_context(cadata=root)


def get(address: str, port: int, name: str, context: ssl.SSLContext) -> int:
    """The status that a client who verifies the certificate for ``name`` gets for its front page."""
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
    """Until every name answers 200 over TLS that its root vouches for.

    One after the other: asking all of them all the time would take the processor from what is measured.
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
    """One small web server behind every proxy; ``HOST:PORT`` as containers of a bridge reach it."""
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
    """Only one benchmark at a time: ports and containers have fixed names, and two would slow each other down."""
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / "lock").open("w") as file:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise BenchError("another benchmark is at work in this tree")
            time.sleep(0.5)
        yield
