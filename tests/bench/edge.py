"""Measure what limits and headers cost, and the connections of HTTP/3 that reloads lose."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from contextlib import ExitStack

from stackctl.model import backends
from stackctl.model.endpoints import PortBinding
from stackctl.model.headers import Changes, Headers, Hsts, Preset
from stackctl.model.http3 import Http3
from stackctl.model.limits import Rate
from stackctl.model.matching import PathMatch
from stackctl.model.routing import Site, everything_to
from stackctl.model.tuning import Tuning
from stackctl.model.values import Domain
from tests.bench import lab, proxies
from tests.bench.figures import Report
from tests.bench.load import under_load, wait_ready
from tests.bench.proxies import SITE, UPSTREAM, Server
from tests.quic import connected

SECONDS, ROUNDS = 2, 12
LEAST = 0.95
RELOADS, AT_ONCE = 8, 4

_LIMITED = Tuning(
    rates=(Rate(100_000, 1, 100_000), Rate(10, 60, 10, (PathMatch("/login"),))),
    connections=10_000,
    headers=Headers(
        Preset.STRICT,
        Hsts(31_536_000),
        Changes((("X-Robots-Tag", "noindex"),), ("X-Powered-By",)),
        Changes((("X-Team", "blue"),), ("X-Debug",)),
    ),
)
"""Every kind of limit and header, none of which refuses a request of the measurement."""


def measure(options: lab.Options) -> Report:
    report = Report("edge", "Limits, headers and HTTP/3")
    lab.build_tools()
    with lab.upstream():
        _throughput(report, options)
        _reloads(report, options)
    return report


def _throughput(report: Report, options: lab.Options) -> None:
    seconds, rounds = (1, 1) if options.quick else (SECONDS, ROUNDS)
    report.note(
        "Throughput with two rates, a limit of connections, a preset and five more headers, against none, in turn."
        " nginx's processor time depends less on what else the machine does."
    )
    subjects = {"without limits": Tuning(), "with limits and headers": _LIMITED}
    rates: dict[str, list[float]] = {subject: [] for subject in subjects}
    costs: dict[str, list[float]] = {subject: [] for subject in subjects}
    with ExitStack() as stack:
        servers = [
            stack.enter_context(proxies.nginx(28460 + number, subject, proxies.rendered((_site(tuning),))))
            for number, (subject, tuning) in enumerate(subjects.items())
        ]
        for server in servers:
            wait_ready(server)
        for number in range(rounds):
            for server in servers:
                before = proxies.processor_time(server)
                load = under_load(server, seconds)
                costs[server.subject].append((proxies.processor_time(server) - before) * 1e6 / load.requests)
                if load.lost:
                    raise lab.BenchError(f"{server.subject} lost {load.lost} requests: {load.details}")
                rates[server.subject].append(load.rate)
                options.say(f"edge, round {number + 1}: {server.subject} {load.rate:,.0f}/s")
    without, limited = (report.add("throughput", subject, "requests/s", values) for subject, values in rates.items())
    report.at_least(limited, LEAST, without)
    idle, busy = (
        report.add("nginx's processor time for a request", subject, "µs", one) for subject, one in costs.items()
    )
    report.at_most(busy, 1.05, idle)


def _site(tuning: Tuning) -> Site:
    return Site((Domain(SITE),), everything_to(backends.Server(UPSTREAM)), tuning)


# HTTP/3


def _reloads(report: Report, options: lab.Options) -> None:
    reloads = 2 if options.quick else RELOADS
    report.note(
        f"HTTP/3: {AT_ONCE} clients, each with a new connection for each request, over {reloads} reloads, two seconds"
        " apart. A connection is lost if it has no answer within five seconds."
    )
    files = proxies.rendered((_site(Tuning()),), http3=Http3(PortBinding(None, 443)))
    with proxies.nginx(28464, "stackctl's nginx", files) as ours, proxies.caddy(28465, "h1 h2 h3") as caddy:
        for server in (ours, caddy)[: 1 if options.quick else 2]:
            wait_ready(server)
            still, reloading = (f"{server.subject} without a reload", 0), (server.subject, reloads)
            for subject, times in (reloading,) if options.quick else (still, reloading):
                lost, made = asyncio.run(_connected(server, times, 2 * reloads + 2))
                report.add(f"HTTP/3 connections lost over {times} reloads", subject, "", [lost], f"of {made:,}")
                options.say(f"edge: {subject} lost {lost} of {made:,}")


async def _connected(server: Server, reloads: int, seconds: float) -> tuple[int, int]:
    """Return how many connections were lost, and how many were made."""
    ends = time.monotonic() + seconds
    results: Counter[bool] = Counter()

    async def client() -> None:
        while time.monotonic() < ends:
            results[await _answered(server.port)] += 1

    async def reload() -> None:
        for _ in range(reloads):
            await asyncio.sleep(1.5)
            await asyncio.to_thread(server.reload)

    await asyncio.gather(reload(), *(client() for _ in range(AT_ONCE)))
    return results[False], results.total()


async def _answered(port: int) -> bool:
    try:
        async with asyncio.timeout(5), connected(port, SITE) as client:
            return (await client.ask(f"{SITE}:{port}", "/")).status == 200
    except (OSError, TimeoutError):
        return False
