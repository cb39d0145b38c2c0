"""An engine for the fault tests only: a second dockerd in a network namespace, which can be killed.

It shares only the kernel with the machine's engine: its data, sockets and network are separate, and it ends
with the process that started it.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.helpers import wait_until

NEEDS = ("dockerd", "ip", "nsenter", "setpriv", "setsid")
DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM")


@contextmanager
def network(name: str) -> Iterator[tuple[str, ...]]:
    """Create a network namespace with only a loopback; return the command prefix that runs a command in it."""
    run("ip", "netns", "add", name)
    try:
        # 'ip netns exec' would hide the cgroup mounts.
        inside = ("nsenter", f"--net=/var/run/netns/{name}")
        run(*inside, "ip", "link", "set", "lo", "up")
        yield inside
    finally:
        run("ip", "netns", "del", name)


@dataclass(frozen=True)
class Engine:
    """A dockerd with its data below ``folder``, in the network namespace of this process."""

    folder: Path

    @property
    def address(self) -> str:
        """The value of DOCKER_HOST."""
        return f"unix://{self.folder}/socket"

    @property
    def pid(self) -> int:
        return int((self.folder / "pid").read_text())

    def start(self) -> None:
        """Start it; after a kill it reuses its containers."""
        # A killed process that is not reaped keeps its PID, and these PID files make it look alive.
        for stale in ("pid", "exec/containerd/containerd.pid"):
            (self.folder / stale).unlink(missing_ok=True)
        options = [f"--data-root={self.folder}/data", f"--exec-root={self.folder}/exec"]
        options += [f"--pidfile={self.folder}/pid", f"--host={self.address}"]
        with (self.folder / "log").open("ab") as log:
            subprocess.Popen(
                [*DIES_WITH_US, "dockerd", *options],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        wait_until(lambda: answers(self.address), 60, "the engine answers")

    def stop(self) -> None:
        """Remove its containers, and stop it."""
        if not answers(self.address):
            self.start()
        docker = ["docker", "-H", self.address]
        found = subprocess.run([*docker, "ps", "-aq"], check=True, capture_output=True, text=True, timeout=60)
        if found.stdout.split():
            subprocess.run([*docker, "rm", "-f", *found.stdout.split()], check=True, capture_output=True, timeout=120)
        pid = self.pid
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: gone(pid), 60, "the engine has ended")
        # A killed engine leaves its mounts.
        mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for mount in sorted((path for path in mounts if path.startswith(f"{self.folder}/")), reverse=True):
            run("umount", mount)


def load(address: str, images: Sequence[str]) -> None:
    """Copy images from the machine's engine to the one at ``address``."""
    with subprocess.Popen(["docker", "save", *images], stdout=subprocess.PIPE) as saving:
        command = ["docker", "-H", address, "load", "--quiet"]
        subprocess.run(command, stdin=saving.stdout, check=True, capture_output=True, timeout=600)
    assert saving.returncode == 0, "docker save failed"


def answers(address: str) -> bool:
    """Return whether the engine at ``address`` answers."""
    asked = subprocess.run(["docker", "-H", address, "version"], check=False, capture_output=True, timeout=20)
    return asked.returncode == 0


def gone(pid: int) -> bool:
    """Return whether a process has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@contextmanager
def engine(images: Sequence[str]) -> Iterator[Engine]:
    """Run an engine with these images; remove it and its data afterwards."""
    made = Engine(Path(tempfile.mkdtemp(prefix="stackctl-lab-faults-engine-")))
    try:
        made.start()
        load(made.address, images)
        yield made
    finally:
        made.stop()
        shutil.rmtree(made.folder)


def run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=20)
