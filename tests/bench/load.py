"""Run wrk in its own container: 64 keep-alive TLS connections to one server."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.bench import lab
from tests.bench.proxies import SITE, Server

CONNECTIONS = 64
_ENDLESS = 3600

# wrk's own output is rounded and hard to parse: print its raw numbers instead.
SCRIPT = """\
local threads = {}
setup = function(thread) table.insert(threads, thread) end
done = function(summary, latency)
  local e, told = summary.errors, {}
  for _, thread in ipairs(threads) do
    for name in string.gmatch(thread:get("names") or "", "%S+") do
      told[name] = (told[name] or 0) + (thread:get(name) or 0)
    end
  end
  local counts = {}
  for name, count in pairs(told) do table.insert(counts, string.format('"%s":%d', name, count)) end
  io.write(string.format(
    '\\n{"requests":%d,"microseconds":%d,"bad":%d,"read":%d,"write":%d,"connect":%d,"timeout":%d,"p99":%d,"told":{%s}}\\n',
    summary.requests, summary.duration, e.status, e.read, e.write, e.connect, e.timeout, latency:percentile(99),
    table.concat(counts, ",")))
end
"""

MIXED = """\
local number, sent = 0, {}
init = function()
  sent = { get = wrk.format("GET"), post = wrk.format("POST", nil, nil, string.rep("x", 2000)) }
end
request = function()
  number = (number + 1) % 10
  return (number == 2 or number == 5 or number == 8) and sent.post or sent.get
end
"""
"""Three of ten requests are a POST, which no proxy may repeat."""

TELLING = """\
names = ""
response = function(status, headers, body)
  local name = "app" .. (string.match(body, "%w+") or "")
  if _G[name] == nil then
    _G[name] = 0
    names = names .. " " .. name
  end
  _G[name] = _G[name] + 1
end
"""
"""Count the responses by the first word of their body."""


@dataclass(frozen=True)
class Load:
    """The result of wrk.

    Attributes:
        lost: the requests without a successful response.
        told: the responses by what they said, if the script counts them.
    """

    requests: int
    seconds: float
    lost: int
    p99: float
    details: str
    told: Mapping[str, int] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


@dataclass(frozen=True)
class Place:
    """What is requested, and where from.

    Attributes:
        network: the network of wrk's container: by default that of the host.
        patience: the seconds after which a request without a response is lost.
    """

    port: int
    site: str = SITE
    address: str = "127.0.0.1"
    network: str = "host"
    path: str = "/"
    script: str = ""
    patience: int = 2


@dataclass
class Running:
    """A load that has begun, and its result once it has ended."""

    began: float = field(default_factory=time.monotonic)
    result: Load | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def load(self) -> Load:
        if self.result is None:
            raise lab.BenchError("wrk has printed no result")
        return self.result


@contextmanager
def loading(place: Place) -> Iterator[Running]:
    """Load a server until the block ends."""
    lab.OUT.mkdir(parents=True, exist_ok=True)
    script = lab.OUT / "wrk.lua"
    script.write_text(SCRIPT + place.script)
    # Unconfined: a seccomp filter would slow the client down, and so every server alike.
    options = ("--network", place.network, "--security-opt", "seccomp=unconfined")
    hosts = ("--add-host", f"{place.site}:{place.address}", "--volume", f"{script}:/wrk.lua:ro")
    url = f"https://{place.site}:{place.port}{place.path}"
    wrk = ("wrk", "-t2", f"-c{CONNECTIONS}", f"-d{_ENDLESS}s", f"--timeout={place.patience}s", "-s", "/wrk.lua", url)
    name = f"{lab.PREFIX}wrk"
    lab.remove_container(name)
    try:
        lab.docker("run", "--detach", "--name", name, *options, *hosts, lab.TOOLS, *wrk)
        running = Running()
        yield running
        lab.docker("kill", "--signal", "INT", name)
        lab.docker("wait", name)
        running.result = _read(lab.docker("logs", name))
    finally:
        lab.remove_container(name)


def _read(printed: str) -> Load:
    try:
        found = json.loads(printed.strip().splitlines()[-1])
    except (ValueError, IndexError) as error:
        raise lab.BenchError(f"wrk printed no result: {printed[-500:]!r}") from error
    kinds = ("bad", "read", "write", "connect", "timeout")
    return Load(
        requests=found["requests"],
        seconds=found["microseconds"] / 1e6,
        lost=sum(found[kind] for kind in kinds),
        p99=found["p99"] / 1e6,
        details=", ".join(f"{kind} {found[kind]}" for kind in kinds if found[kind]),
        told=found["told"],
    )


def under_load(
    server: Server, seconds: float, meanwhile: Callable[[], None] | None = None, *, path: str = "/", script: str = ""
) -> Load:
    """Load ``server`` for so long; run ``meanwhile`` in parallel once the first responses have arrived."""
    with loading(Place(server.port, path=path, script=script)) as running:
        began = time.monotonic()
        if meanwhile is not None:
            time.sleep(0.7)  # wrk connects
            meanwhile()
        time.sleep(max(0.0, began + seconds - time.monotonic()))
    return running.load


def wait_ready(server: Server) -> None:
    """Wait until the server answers 200 over TLS."""
    root = (lab.OUT / "letsencrypt/live" / SITE / "fullchain.pem").read_text()
    context = lab.trusting(root)
    lab.wait_until(
        lambda: lab.get("127.0.0.1", server.port, SITE, context) == 200,
        f"{server.subject} answers at {server.port}",
    )
