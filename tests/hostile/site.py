"""A stack with a site that is held by its clients, and another one that must lose nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.e2e.helpers import APP_IMAGE, ROOT, Stack, docker, inspect
from tests.faults.client import Client
from tests.hostile.clients import MB, Target

LIMIT = 192 * MB
"""Memory of the proxy's container here; the default is ten times as much."""

_USED = ("/sys/fs/cgroup/memory/memory.stat", "/sys/fs/cgroup/memory.stat")
_PROCESSES = {"rss", "anon", "shmem"}
"""What cannot be taken back: the processes' own memory, and files of a tmpfs. Cached files can."""


@dataclass
class HeldSite:
    """The stack, the site that is held, and the name of the other."""

    stack: Stack
    target: Target
    other: str

    @classmethod
    def made(cls, stack: Stack) -> HeldSite:
        """Make the stack, with :data:`LIMIT` and without certificates of a CA."""
        stack.init()
        shutil.copy(ROOT / "tests/lab/raw/app.py", stack.directory / "app.py")
        held, other = stack.domain("held"), stack.domain("other")
        raw = f"""\
  held:
    image: {APP_IMAGE}
    command: [python3, -u, /raw.py, '8000']
    volumes: [./app.py:/raw.py:ro]
    x-stackctl:
      domains: [{held}]
      port: 8000
      body-size: 2g
  other:
    image: {APP_IMAGE}
    x-stackctl:
      domains: [{other}]
      port: 8000
"""
        stack.edit("  mem_limit: 2g\n", f"  mem_limit: {LIMIT // MB}m\n")
        stack.edit("services:\n", f"services:\n{raw}")
        stack.ok("up", "--no-issue")
        return cls(stack, Target(stack.address, held), other)

    def memory(self) -> int:
        """The memory in use that cannot be taken back, in bytes."""
        reading = f"cat {' '.join(_USED)} 2>/dev/null || true"
        said = docker("exec", self.stack.container("nginx"), "sh", "-c", reading)
        rows = (line.split() for line in said.splitlines())
        return sum(int(value) for name, value in rows if name in _PROCESSES)

    @contextmanager
    def nothing_lost(self) -> Iterator[Client]:
        """The other site is asked all the time; the proxy's container and its workers stay the same."""
        container = inspect(self.stack.container("nginx"))
        workers = self.stack.workers()
        with Client(self.stack.address, self.other, None) as client:
            yield client
        # Without pytest an assertion says nothing by itself.
        assert client.errors == [], f"{len(client.errors)} of {client.requests} lost: {client.errors[0]}"
        assert client.requests > 10, f"only {client.requests} requests"
        state = inspect(container["Id"])["State"]
        assert not state["OOMKilled"], "out of memory"
        assert state["StartedAt"] == container["State"]["StartedAt"], "the proxy's container was started again"
        assert self.stack.workers() == workers, "nginx has other workers"
