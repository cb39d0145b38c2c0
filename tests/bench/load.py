"""Run wrk in its own container: 64 keep-alive TLS connections to 127.0.0.1."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.bench import lab
from tests.bench.proxies import SITE, Server

CONNECTIONS = 64

# wrk's own output is rounded and hard to parse: print its raw numbers instead.
SCRIPT = """\
done = function(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\\n{"requests":%d,"microseconds":%d,"bad":%d,"read":%d,"write":%d,"connect":%d,"timeout":%d,"p99":%d}\\n',
    summary.requests, summary.duration, e.status, e.read, e.write, e.connect, e.timeout, latency:percentile(99)))
end
"""


@dataclass(frozen=True)
class Load:
    """The result of wrk. ``lost`` counts the requests without a successful response."""

    requests: int
    seconds: float
    lost: int
    p99: float
    details: str

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def under_load(server: Server, seconds: int, meanwhile: Callable[[], None] | None = None) -> Load:
    """Load ``server`` for so long; run ``meanwhile`` in parallel once the first responses have arrived."""
    script = lab.OUT / "wrk.lua"
    script.write_text(SCRIPT)
    failed: list[Exception] = []

    def run_meanwhile() -> None:
        try:
            time.sleep(0.7)  # the container starts, wrk connects
            if meanwhile is not None:
                meanwhile()
        except (lab.BenchError, subprocess.SubprocessError) as error:
            failed.append(error)

    thread = threading.Thread(target=run_meanwhile)
    thread.start()
    # Unconfined: a seccomp filter would slow the client down, and so every server alike.
    options = ("--network", "host", "--add-host", f"{SITE}:127.0.0.1", "--security-opt", "seccomp=unconfined")
    wrk = ("wrk", "-t2", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", "/wrk.lua", f"https://{SITE}:{server.port}/")
    name = f"{lab.PREFIX}wrk"
    lab.remove_container(name)
    printed = lab.docker("run", "--rm", "--name", name, *options, "--volume", f"{script}:/wrk.lua:ro", lab.TOOLS, *wrk)
    thread.join()
    if failed:
        raise failed[0]
    found = json.loads(printed.strip().splitlines()[-1])
    kinds = ("bad", "read", "write", "connect", "timeout")
    return Load(
        requests=found["requests"],
        seconds=found["microseconds"] / 1e6,
        lost=sum(found[kind] for kind in kinds),
        p99=found["p99"] / 1e6,
        details=", ".join(f"{kind} {found[kind]}" for kind in kinds if found[kind]),
    )


def wait_ready(server: Server) -> None:
    """Wait until the server answers 200 over TLS."""
    root = (lab.OUT / "letsencrypt/live" / SITE / "fullchain.pem").read_text()
    context = lab.trusting(root)
    lab.wait_until(
        lambda: lab.get("127.0.0.1", server.port, SITE, context) == 200,
        f"{server.subject} answers at {server.port}",
    )
