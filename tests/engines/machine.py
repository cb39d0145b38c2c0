"""A machine with an engine of another operating system: its files, its network, its CA, its client."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.helpers import BIN, ROOT, docker, wait_until
from tests.engines import authority
from tests.faults.own_engine import DIES_WITH_US, answers, load, network, run

HERE = Path(__file__).parent
IMAGE = HERE / "image"
REPOSITORY = "stackctl-lab/engine"
LABEL = "stackctl.lab.key"
"""The label by which 'make clean' finds the images of the lab."""

FEW = ("stackctl/nginx:1.30", "stackctl/certbot:5.5", "stackctl-lab/app:latest")
"""Enough for many tests: to copy the images takes longer than anything else."""

IMAGES = (
    *FEW,
    *("stackctl/nginx:1.22", "stackctl/nginx:1.26", "stackctl/nginx:latest"),
    *("stackctl/certbot:4.0", "stackctl-lab/busybox:latest"),
)
USER = 23000
"""The user of rootless engines; it has no account outside."""


@dataclass(frozen=True)
class Kind:
    """An engine to test on.

    Attributes:
        name: as in the table.
        suite: the Debian suite whose engine and Compose it has.
        rootless: whether it runs without root's rights, as does the client.
        context: whether the client finds it by a Docker context; else by DOCKER_HOST.
    """

    name: str
    suite: str
    rootless: bool = False
    context: bool = False


KINDS = {
    kind.name: kind
    for kind in (
        Kind("20.10", "bookworm"),
        Kind("26", "trixie"),
        Kind("28", "forky", context=True),
        Kind("26-rootless", "trixie", rootless=True),
        Kind("28-rootless", "forky", rootless=True, context=True),
    )
}


@dataclass(frozen=True)
class Machine:
    """A running engine in a network of its own, with a CA there.

    Attributes:
        folder: all files of the machine, at the same path inside and outside.
        inside: the prefix of a command that runs in its network.
    """

    kind: Kind
    folder: Path
    inside: tuple[str, ...]

    @property
    def shared(self) -> Path:
        return self.folder / "shared"

    @property
    def socket(self) -> str:
        return f"unix://{self.shared}/run/docker.sock"

    def docker(self, *arguments: str) -> str:
        return docker("-H", self.socket, *arguments)

    def environment(self) -> Mapping[str, str]:
        """The environment of a user who logs in on this machine."""
        environ = {key: value for key, value in os.environ.items() if not key.startswith(("DOCKER_", "PYTEST_"))}
        environ |= {
            "HOME": f"{self.shared}/home",
            "XDG_RUNTIME_DIR": f"{self.shared}/run",
            "TMPDIR": f"{self.shared}/tmp",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "STACKCTL_TEST_LAB": f"{self.shared}/lab",
        }
        return environ if self.kind.context else environ | {"DOCKER_HOST": self.socket}

    def run(self, command: Sequence[str], log: Path) -> int:
        """Run a command as the machine's user in its network; append to the log; return its exit status."""
        paths = dict.fromkeys(map(str, (ROOT, BIN.resolve(), Path(sys.base_prefix).resolve())))
        as_user = ("unshare", "--mount", str(HERE / "as_user.sh"), str(USER), *paths, "--")
        user = as_user if self.kind.rootless else ()
        with log.open("ab") as out:
            return subprocess.run(
                [*self.inside, *user, *command],
                env=self.environment(),
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                check=False,
            ).returncode

    def versions(self) -> tuple[str, str]:
        """Return the versions of the engine and of the Compose that the client finds."""
        engine = self.docker("version", "--format", "{{.Server.Version}}")
        plugin = self.shared / "home/.docker/cli-plugins/docker-compose"
        compose = subprocess.run([plugin, "version", "--short"], capture_output=True, text=True, check=True, timeout=60)
        return engine, compose.stdout.strip()


@contextmanager
def machine(kind: Kind, images: Sequence[str] = IMAGES) -> Iterator[Machine]:
    """Start a machine; remove it and everything on it afterwards."""
    image = _build(kind.suite)
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix=f"stackctl-lab-engine-{kind.name}-"))
        stack.callback(shutil.rmtree, folder)
        made = Machine(kind, folder, stack.enter_context(_network(f"stackctl-lab-{folder.name[-8:]}", kind)))
        _unpack(image, folder / "root")
        _prepare(made)
        stack.enter_context(_engine(made))
        load(made.socket, images)
        stack.enter_context(authority.running(made.shared / "lab", made.inside))
        yield made


def _build(suite: str) -> str:
    image = f"{REPOSITORY}:{suite}"
    build = ("build", "--quiet", "--force-rm", "--build-arg", f"BASE=debian:{suite}-slim", "--label", f"{LABEL}=engine")
    subprocess.run(
        ["docker", *build, "--tag", image, str(IMAGE)],
        env={**os.environ, "DOCKER_BUILDKIT": "0"},
        capture_output=True,
        check=True,
        timeout=900,
    )
    return image


def _unpack(image: str, root: Path) -> None:
    root.mkdir()
    container = docker("create", image, "true")
    try:
        with subprocess.Popen(["docker", "export", container], stdout=subprocess.PIPE) as exporting:
            subprocess.run(["tar", "-x", "-C", root], stdin=exporting.stdout, check=True, timeout=300)
        assert exporting.returncode == 0, "docker export failed"
    finally:
        docker("rm", container)


def _prepare(made: Machine) -> None:
    """Create the user, their home, and a Compose that runs outside of the machine's own files."""
    folder, root, home = made.folder, made.folder / "root", made.shared / "home"
    folder.chmod(0o755)
    for name in ("home", "run", "tmp", "lab"):
        (made.shared / name).mkdir(parents=True)
    plugin = home / ".docker/cli-plugins/docker-compose"
    plugin.parent.mkdir(parents=True)
    packaged = root / "usr/libexec/docker/cli-plugins/docker-compose"
    if packaged.exists():
        # It needs the C library that it was built for.
        libraries = f"{root}/lib/x86_64-linux-gnu:{root}/usr/lib/x86_64-linux-gnu"
        loader = f"{root}/lib64/ld-linux-x86-64.so.2 --library-path {libraries}"
        plugin.write_text(f'#!/bin/sh\nexec {loader} {packaged} "$@"\n')
        plugin.chmod(0o755)
    else:
        plugin.symlink_to(BIN / "docker-compose")
    # Without this, rootlesskit's network asks a server that does not answer, at each start of a container.
    (root / "etc/hosts").write_text("127.0.0.1 localhost\n::1 localhost\n")
    if made.kind.context:
        create = ("context", "create", "lab", "--docker", f"host={made.socket}")
        environ = {**os.environ, "HOME": str(home)}
        for command in (create, ("context", "use", "lab")):
            subprocess.run(["docker", *command], env=environ, check=True, capture_output=True, timeout=60)
    if made.kind.rootless:
        for name, line in (
            ("passwd", f"lab:x:{USER}:{USER}::{home}:/bin/sh"),
            ("group", f"lab:x:{USER}:"),
            *((name, "lab:200000:65536") for name in ("subuid", "subgid")),
        ):
            with (root / "etc" / name).open("a") as file:
                file.write(f"{line}\n")
        subprocess.run(["chown", "-R", f"{USER}:{USER}", made.shared], check=True, timeout=60)


@contextmanager
def _network(name: str, kind: Kind) -> Iterator[tuple[str, ...]]:
    """Create a network with a loopback and the CA's address; return the prefix of commands inside."""
    with network(name) as inside:
        run(*inside, "ip", "address", "add", f"{authority.ADDRESS}/32", "dev", "lo")
        if kind.rootless:  # as an administrator sets it for a rootless engine that serves the web
            run(*inside, "sysctl", "-qw", "net.ipv4.ip_unprivileged_port_start=80")
        yield inside


@contextmanager
def _engine(made: Machine) -> Iterator[None]:
    user = (str(USER),) if made.kind.rootless else ()
    start: list[str | Path] = [
        *DIES_WITH_US,
        *made.inside,
        "unshare",
        "--mount",
        HERE / "start.sh",
        made.folder / "root",
        made.shared,
    ]
    with (made.folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [*start, *user], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_until(lambda: process.poll() is not None or answers(made.socket), 60, "the engine answers")
        assert process.poll() is None, (made.folder / "log").read_text(errors="replace")[-2000:]
        yield
        containers = made.docker("ps", "--all", "--quiet").split()
        if containers:
            made.docker("rm", "--force", "--volumes", *containers)
    finally:
        process.terminate()
        process.wait(60)
