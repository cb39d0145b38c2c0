"""Measure requests per second over TLS to one local upstream."""

from __future__ import annotations

from contextlib import ExitStack

from tests.bench import lab, proxies
from tests.bench.figures import Report
from tests.bench.load import CONNECTIONS, under_load, wait_ready

SECONDS, ROUNDS = 5, 3


def measure(options: lab.Options) -> Report:
    report = Report("throughput", "Throughput")
    report.note(
        f"wrk, {CONNECTIONS} keep-alive connections, TLS, 127.0.0.1; all servers in containers on the host's network,"
        " with the same certificate and one upstream (an nginx that returns 200), alternating."
    )
    report.note(
        "stackctl's nginx is the rendered configuration of one app; only its listen addresses are changed. It logs"
        " every request to the container's log, as the script's does. HAProxy and Caddy log nothing by default."
        " HAProxy is compared with stackctl's nginx twice: both with a log, and both without."
    )
    seconds, rounds = (1, 1) if options.quick else (SECONDS, ROUNDS)
    lab.build_tools()
    with lab.upstream(), ExitStack() as stack:
        makers = [proxies.ours(), proxies.seed(), proxies.haproxy(), proxies.caddy()]
        if not options.quick:
            makers += [proxies.ours(28543, logs=False), proxies.haproxy(28545, logs=True)]
        servers = [stack.enter_context(maker) for maker in makers]
        for server in servers:
            wait_ready(server)
            if not options.quick:
                under_load(server, 1)
        rates: dict[str, list[float]] = {server.subject: [] for server in servers}
        slowest: dict[str, float] = {}
        for number in range(rounds):
            for server in servers:
                load = under_load(server, seconds)
                # A few may time out if the machine is busy; more would make the rate meaningless.
                if load.lost > load.requests / 1000:
                    raise lab.BenchError(f"{server.subject} lost {load.lost} requests without a reload: {load.details}")
                rates[server.subject].append(load.rate)
                slowest[server.subject] = load.p99
                options.say(f"throughput, round {number + 1}: {server.subject} {load.rate:,.0f}/s")
    found = {
        subject: report.add(
            "throughput", subject, "requests/s", values, f"99 % within {slowest[subject] * 1000:.1f} ms"
        )
        for subject, values in rates.items()
    }
    mine = found["stackctl's nginx"]
    report.at_least(mine, 2.0, found["the script's nginx"])
    report.at_least(mine, 3.0, found["Caddy"])
    # A server that logs every request does more work than one that logs none, so each is compared with its like.
    for ours, theirs in (("stackctl's nginx", "HAProxy with a log"), ("stackctl's nginx, no log", "HAProxy")):
        if ours in found and theirs in found:
            report.at_least(found[ours], 1.0, found[theirs])
    return report
