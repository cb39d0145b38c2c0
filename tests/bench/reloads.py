"""Count the requests lost while a server under load reloads its configuration repeatedly."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial

from tests.bench import lab, proxies
from tests.bench.figures import Judged, Report
from tests.bench.load import under_load, wait_ready
from tests.bench.proxies import Server

RELOADS, ROUNDS, ENOUGH = 8, 2, 300_000
AROUND = 5
"""Seconds of load in addition to those of the reloads, so that enough requests are sent."""


def measure(options: lab.Options) -> Report:
    report = Report("reloads", "Requests lost over reloads")
    reloads, rounds = (2, 1) if options.quick else (RELOADS, ROUNDS)
    report.note(
        f"{reloads} reloads, a second apart, under wrk's load. A request is lost if its connection is closed or"
        " refused, if it times out, or if its status is 400 or higher."
    )
    report.note("nginx: its reload command. HAProxy: SIGUSR2 to the master process. Caddy: a forced reload.")
    lab.build_tools()
    makers: tuple[Callable[[], AbstractContextManager[Server]], ...] = (
        proxies.ours,
        partial(proxies.ours, 28543, gentle=False),
        proxies.haproxy,
        proxies.caddy,
    )
    if options.quick:
        makers = makers[:1]
    lost: dict[str, list[float]] = {}
    sent: dict[str, int] = {}
    how: dict[str, str] = {}
    with lab.upstream():
        for number in range(rounds):
            for maker in makers:
                with maker() as server:
                    wait_ready(server)
                    load = under_load(server, reloads + AROUND, partial(_reload, server, reloads))
                lost.setdefault(server.subject, []).append(load.lost)
                sent[server.subject] = sent.get(server.subject, 0) + load.requests
                how[server.subject] = load.details
                options.say(f"reloads, round {number + 1}: {server.subject} lost {load.lost} of {load.requests:,}")
    for subject, values in lost.items():
        note = f"{sum(values):.0f} of {sent[subject]:,} in total" + (f" ({how[subject]})" if how[subject] else "")
        report.add(f"lost over {reloads} reloads", subject, "requests", values, note)
    mine = next(iter(lost))
    total = sum(lost[mine])
    report.judged.append(Judged(f"lost over {reloads} reloads", "0 requests", total, "requests", total == 0))
    each = sent[mine] / rounds
    if not options.quick:
        goal = f"≥ {ENOUGH:,} requests"
        report.judged.append(Judged("requests during the reloads", goal, each, "requests", each >= ENOUGH))
    return report


def _reload(server: Server, times: int) -> None:
    started = time.monotonic()
    for number in range(times):
        time.sleep(max(0.0, started + number - time.monotonic()))
        server.reload()
